-- The survey's Table 6: qualities of the categories of methods
CREATE VIEW table6 AS SELECT aspect, detail, category, subcategory, printed, status, position FROM category_cell;
