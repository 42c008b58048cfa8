-- Memory of the survey's Table 5 beside the predicted peak, in each traced setting; nothing is judged
CREATE VIEW table5_memory AS
SELECT * EXCLUDE (source, table_name) FROM memory_tried WHERE source = 'lialin2023scaling';
