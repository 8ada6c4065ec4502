"""nbgrader: source notebooks, and the way to and from its database."""
