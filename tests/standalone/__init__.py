"""The single files that customers run, as they run them: from a shell, on logs of any kind."""
