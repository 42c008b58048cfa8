-- The bibliography, with where each paper is cited and which methods it describes
CREATE VIEW papers AS
SELECT
    paper.key,
    paper.title,
    paper.authors,
    paper.year,
    paper.venue,
    paper.url,
    (SELECT string_agg(citation.section, ', ' ORDER BY citation.section) FROM citation WHERE citation.key = paper.key) AS cited_in,  -- Sections of the survey that cite it
    (SELECT coalesce(sum(citation.times), 0) FROM citation WHERE citation.key = paper.key) AS citations,  -- Number of citations in the survey
    (SELECT string_agg(method.id, ', ' ORDER BY method.id) FROM method WHERE method.paper = paper.key) AS methods  -- Methods of the catalog that it describes
FROM paper;
