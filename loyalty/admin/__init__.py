"""Admin pages; one module per aggregate."""
