"""An exercise's tests, collected once and run against a backend: in process, or confined."""
