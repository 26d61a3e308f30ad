"""Order files of other systems: read (`files`), understood (`mapping`), gathered to whole orders (`drafts`)."""
