"""GitHub: a template repository for students, clones to grade, reports for workflows."""
