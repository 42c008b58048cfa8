-- The survey's Table 3: microbatch sizes
CREATE VIEW table3 AS SELECT backbone, backbone_label, dataset, microbatch FROM microbatch;
