-- Errors of predicted memory against the survey's Table 5, by setting, sample of rows, and model
CREATE VIEW table5_memory_setting AS
SELECT * EXCLUDE (source, table_name) FROM memory_setting WHERE source = 'lialin2023scaling';
