"""What pages and scripts show, as rows and JSON."""
