-- papers: the bibliography, with where each paper is cited and what it describes.
CREATE VIEW papers AS
SELECT
    paper.key,
    paper.title,
    paper.authors,
    paper.year,
    paper.venue,
    paper.url,
    (SELECT string_agg(citation.section, ', ' ORDER BY citation.section) FROM citation WHERE citation.key = paper.key) AS cited_in,
    (SELECT coalesce(sum(citation.times), 0) FROM citation WHERE citation.key = paper.key) AS citations,
    (SELECT string_agg(method.id, ', ' ORDER BY method.id) FROM method WHERE method.paper = paper.key) AS methods
FROM paper;
COMMENT ON VIEW papers IS 'The bibliography';
COMMENT ON COLUMN papers.key IS 'Key of the entry in papers.bib';
COMMENT ON COLUMN papers.title IS 'Full title of the paper';
COMMENT ON COLUMN papers.authors IS 'Authors, separated by semicolons';
COMMENT ON COLUMN papers.year IS 'Year of publication';
COMMENT ON COLUMN papers.venue IS 'Conference or journal; NULL where the list gives none';
COMMENT ON COLUMN papers.url IS 'Address; NULL where the list gives none';
COMMENT ON COLUMN papers.cited_in IS 'Sections of the survey that cite it';
COMMENT ON COLUMN papers.citations IS 'Number of citations in the survey';
COMMENT ON COLUMN papers.methods IS 'Methods of the catalog that it describes';
