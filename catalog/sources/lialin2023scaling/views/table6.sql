-- The survey's Table 6: qualities of the categories of methods
CREATE VIEW table6 AS
SELECT
    aspect,
    detail,
    category,
    subcategory,
    printed,
    if(printed IS NULL, 'missing_in_source', 'printed') AS status,  -- Whether the cell has text; missing_in_source: the text we used lacks it
    position
FROM lialin2023scaling_table6;
