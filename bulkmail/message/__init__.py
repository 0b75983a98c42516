"""Messages: templates rendered, headers and MIME written, files encoded; one mail object a row."""
