"""Order files of other systems: read (`members.tables`), understood (`mapping`), gathered to whole orders (`drafts`)."""
