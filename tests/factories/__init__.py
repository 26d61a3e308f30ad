"""Makers of what tests begin with: minimal, and true."""
