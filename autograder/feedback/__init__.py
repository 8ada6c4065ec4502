"""Everything a person reads about a result, in text, Markdown and HTML, in two languages."""
