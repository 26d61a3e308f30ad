"""Files with rows, whoever sent them: csv, tsv, xlsx and JSON lines, read cell by cell as text (`rows.read_rows`)."""
