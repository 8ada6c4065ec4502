"""The places where the course is taught: what is released there, and how what comes back is collected and reported."""
