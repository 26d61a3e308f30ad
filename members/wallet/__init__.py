"""Files for the wallet of a phone (`.pkpass`): who signs them, and how they are put together.

What stands on a pass is the business of the floor that knows it.
"""
