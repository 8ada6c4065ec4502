"""Learning platforms that take points as a CSV file: Canvas, Moodle."""
