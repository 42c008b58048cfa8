-- table6: the survey's Table 6, one row per cell.
CREATE VIEW table6 AS SELECT aspect, detail, category, subcategory, printed, status, position FROM category_cell;
COMMENT ON VIEW table6 IS 'The survey''s Table 6: qualities of the categories of methods';
COMMENT ON COLUMN table6.aspect IS 'Group of rows';
COMMENT ON COLUMN table6.detail IS 'Row within the group; NULL where it has one row';
COMMENT ON COLUMN table6.category IS 'Category of methods';
COMMENT ON COLUMN table6.subcategory IS 'Column within the category; NULL where it has one';
COMMENT ON COLUMN table6.printed IS 'The cell, as printed';
COMMENT ON COLUMN table6.status IS 'printed, blank or missing_in_source';
COMMENT ON COLUMN table6.position IS 'Order, from 1';
