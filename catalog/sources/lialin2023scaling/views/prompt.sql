-- Task descriptions of the survey's Appendix A
CREATE VIEW prompt AS SELECT dataset, prompt FROM lialin2023scaling_appendix_a;
