"""What a person or a script is told: progress, summary, log, export. Nothing here sends."""
