"""Members of another system, brought in from a file: taken in (`files`), mapped (`fields`), checked, loaded, taken back."""
