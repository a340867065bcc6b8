"""Three stories as notebooks: a form taken for an ability, a writer taken for quality, a shortcut in the data."""
