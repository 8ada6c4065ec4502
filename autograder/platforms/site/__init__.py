"""The course as a static site: lessons with their figures, statements, quizzes and guides, in each language, without a network."""
