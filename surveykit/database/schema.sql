-- The tables of the database. Built from the files of the catalog and never written to afterwards.
-- Everything that joins them is a view or a macro in views/.

CREATE TABLE paper (
    key VARCHAR PRIMARY KEY,
    title VARCHAR NOT NULL,
    authors VARCHAR NOT NULL,
    year INTEGER NOT NULL CHECK (year BETWEEN 1900 AND 2100),
    venue VARCHAR,
    url VARCHAR,
    arxiv VARCHAR,
    doi VARCHAR,
    bibtex VARCHAR NOT NULL
);
COMMENT ON TABLE paper IS 'Papers cited by the catalog';
COMMENT ON COLUMN paper.key IS 'Key of the entry in papers.bib';
COMMENT ON COLUMN paper.title IS 'Full title of the paper';
COMMENT ON COLUMN paper.authors IS 'Authors, separated by semicolons';
COMMENT ON COLUMN paper.year IS 'Year of publication';
COMMENT ON COLUMN paper.venue IS 'Conference or journal; NULL for a preprint';
COMMENT ON COLUMN paper.url IS 'Address';
COMMENT ON COLUMN paper.arxiv IS 'Number at arXiv, such as 2106.09685; NULL where there is none';
COMMENT ON COLUMN paper.doi IS 'Digital object identifier';
COMMENT ON COLUMN paper.bibtex IS 'The BibTeX entry as it stands in papers.bib';

CREATE TABLE method (
    id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    family VARCHAR NOT NULL CHECK (family IN (
        'adapter', 'soft_prompt', 'other_additive', 'selective', 'reparametrization', 'hybrid', 'baseline')),
    section VARCHAR NOT NULL,
    paper VARCHAR NOT NULL REFERENCES paper (key),
    idea VARCHAR NOT NULL,
    tradeoff VARCHAR NOT NULL,
    pseudocode VARCHAR NOT NULL,
    reconstruction VARCHAR,
    not_instantiated VARCHAR
);
COMMENT ON TABLE method IS 'One row per method: what does not depend on a backbone';
COMMENT ON COLUMN method.id IS 'Name of its file in catalog/methods';
COMMENT ON COLUMN method.name IS 'Name for readers';
COMMENT ON COLUMN method.family IS 'Family in the survey''s taxonomy';
COMMENT ON COLUMN method.section IS 'Section of the survey that describes it';
COMMENT ON COLUMN method.paper IS 'Key of its paper';
COMMENT ON COLUMN method.idea IS 'What is trained and why';
COMMENT ON COLUMN method.tradeoff IS 'What it costs or loses';
COMMENT ON COLUMN method.pseudocode IS 'The forward pass, PyTorch-like';
COMMENT ON COLUMN method.not_instantiated IS 'Why the engine has no recipe for it yet; NULL when it has';
COMMENT ON COLUMN method.reconstruction IS 'What we filled in where the paper leaves the shape open; NULL when nothing was';

CREATE TABLE alias (
    method VARCHAR NOT NULL REFERENCES method (id),
    name VARCHAR NOT NULL,
    PRIMARY KEY (method, name)
);
COMMENT ON TABLE alias IS 'Other names of methods';
COMMENT ON COLUMN alias.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN alias.name IS 'Another name of it';

CREATE TABLE relation (
    method VARCHAR NOT NULL REFERENCES method (id),
    kind VARCHAR NOT NULL CHECK (kind IN ('extends', 'combines', 'variant_of', 'initialised_by')),
    other VARCHAR NOT NULL REFERENCES method (id),
    PRIMARY KEY (method, kind, other)
);
COMMENT ON TABLE relation IS 'How methods build on each other';
COMMENT ON COLUMN relation.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN relation.kind IS 'How it relates to the other one';
COMMENT ON COLUMN relation.other IS 'The other method';

CREATE TABLE implementation (
    method VARCHAR NOT NULL REFERENCES method (id),
    position INTEGER NOT NULL CHECK (position >= 0),
    library VARCHAR NOT NULL CHECK (library IN ('peft', 'adapters', 'transformers', 'repository', 'none')),
    name VARCHAR NOT NULL,
    snippet VARCHAR,
    note VARCHAR,
    PRIMARY KEY (method, position)
);
COMMENT ON TABLE implementation IS 'Code that a user can run';
COMMENT ON COLUMN implementation.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN implementation.position IS 'Order in its file, from 0';
COMMENT ON COLUMN implementation.library IS 'Library; none: nothing was found';
COMMENT ON COLUMN implementation.name IS 'Class, configuration string, or owner/name of a repository';
COMMENT ON COLUMN implementation.snippet IS 'A few lines that put the method on a loaded model';
COMMENT ON COLUMN implementation.note IS 'What to know about it';

CREATE TABLE attribute (
    method VARCHAR NOT NULL REFERENCES method (id),
    name VARCHAR NOT NULL CHECK (name IN ('type', 'disk', 'ram', 'bp', 'overhead')),
    value VARCHAR,
    status VARCHAR NOT NULL CHECK (status IN ('known', 'not_stated', 'not_applicable')),
    source VARCHAR NOT NULL CHECK (source IN ('survey_table', 'survey_text', 'paper', 'derived')),
    locator VARCHAR NOT NULL,
    PRIMARY KEY (method, name),
    CHECK ((status = 'known') = (value IS NOT NULL))
);
COMMENT ON TABLE attribute IS 'Effective columns of each method: from Table 1 where it has a row, else what we say';
COMMENT ON COLUMN attribute.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN attribute.name IS 'Column: type, disk, ram, bp or overhead';
COMMENT ON COLUMN attribute.value IS 'Type letters; true or false; overhead as a canonical set such as none or ffn+input';
COMMENT ON COLUMN attribute.status IS 'Whether there is a value, and why not';
COMMENT ON COLUMN attribute.source IS 'Where the value comes from';
COMMENT ON COLUMN attribute.locator IS 'Row of the table, or the sentence it rests on';

CREATE TABLE overhead (
    method VARCHAR PRIMARY KEY REFERENCES method (id),
    overhead_ffn BOOLEAN,
    overhead_linear BOOLEAN,
    overhead_gating BOOLEAN,
    overhead_input BOOLEAN,
    overhead_decoder BOOLEAN
);
COMMENT ON TABLE overhead IS 'What inference costs beyond the backbone, as a set; NULL throughout where it is not stated';
COMMENT ON COLUMN overhead.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN overhead.overhead_ffn IS 'Additional feed-forward network';
COMMENT ON COLUMN overhead.overhead_linear IS 'Additional linear layer';
COMMENT ON COLUMN overhead.overhead_gating IS 'Additional gating or scaling';
COMMENT ON COLUMN overhead.overhead_input IS 'Longer input';
COMMENT ON COLUMN overhead.overhead_decoder IS 'Additional decoder';

CREATE TABLE backbone (
    id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    survey_label VARCHAR UNIQUE,
    checkpoint VARCHAR,
    architecture VARCHAR NOT NULL,
    paper VARCHAR REFERENCES paper (key),
    d_model INTEGER NOT NULL CHECK (d_model > 0),
    d_ff INTEGER NOT NULL CHECK (d_ff > 0),
    d_kv INTEGER NOT NULL CHECK (d_kv > 0),
    heads INTEGER NOT NULL CHECK (heads > 0),
    kv_heads INTEGER NOT NULL CHECK (kv_heads > 0),
    inner_width INTEGER NOT NULL,
    encoder_layers INTEGER NOT NULL CHECK (encoder_layers >= 0),
    decoder_layers INTEGER NOT NULL CHECK (decoder_layers >= 0),
    vocabulary INTEGER NOT NULL CHECK (vocabulary > 0),
    relative_buckets INTEGER NOT NULL CHECK (relative_buckets >= 0),
    positions INTEGER NOT NULL CHECK (positions >= 0),
    token_types INTEGER NOT NULL CHECK (token_types >= 0),
    gated BOOLEAN,
    tied BOOLEAN NOT NULL,
    parameters BIGINT CHECK (parameters > 0),
    parameters_stated BOOLEAN NOT NULL,
    parameters_source VARCHAR NOT NULL,
    has_symbols BOOLEAN NOT NULL,
    CHECK (inner_width = heads * d_kv),
    CHECK (encoder_layers + decoder_layers > 0)
);
COMMENT ON TABLE backbone IS 'Pretrained models, by the dimensions that their configurations state; widths in features';
COMMENT ON COLUMN backbone.id IS 'Name of its folder in catalog/models';
COMMENT ON COLUMN backbone.name IS 'Name for readers';
COMMENT ON COLUMN backbone.survey_label IS 'Label in the survey''s Table 5; NULL when it is not there';
COMMENT ON COLUMN backbone.checkpoint IS 'Where the weights are published; NULL where they are not';
COMMENT ON COLUMN backbone.architecture IS 'Family of networks, as transformers calls it: t5, bert, llama and so on';
COMMENT ON COLUMN backbone.paper IS 'Key of its paper; NULL where the bibliography has none';
COMMENT ON COLUMN backbone.d_model IS 'Width of the residual stream';
COMMENT ON COLUMN backbone.d_ff IS 'Width of the feed-forward';
COMMENT ON COLUMN backbone.d_kv IS 'Width of one attention head';
COMMENT ON COLUMN backbone.heads IS 'Attention heads, of queries';
COMMENT ON COLUMN backbone.kv_heads IS 'Heads of keys and of values; fewer where several heads of queries share one';
COMMENT ON COLUMN backbone.inner_width IS 'Inner width of attention: heads times d_kv';
COMMENT ON COLUMN backbone.encoder_layers IS 'Layers of the encoder; 0 without one';
COMMENT ON COLUMN backbone.decoder_layers IS 'Layers of the decoder; 0 without one';
COMMENT ON COLUMN backbone.vocabulary IS 'Rows of the token embedding';
COMMENT ON COLUMN backbone.relative_buckets IS 'Buckets of the relative position bias; 0 without one';
COMMENT ON COLUMN backbone.positions IS 'Rows of each table of learned positions; 0 without one';
COMMENT ON COLUMN backbone.token_types IS 'Rows of the table of token types; 0 without one';
COMMENT ON COLUMN backbone.gated IS 'Whether the feed-forward has a second, gating input matrix; NULL where nothing says it';
COMMENT ON COLUMN backbone.tied IS 'Whether the output layer is the token embedding';
COMMENT ON COLUMN backbone.parameters IS 'Parameters, each once: the denominator of every percentage; as a source states them, else in closed form; NULL where there is neither';
COMMENT ON COLUMN backbone.parameters_stated IS 'Whether a source states that number; if not, it is the closed form of the configuration';
COMMENT ON COLUMN backbone.has_symbols IS 'Whether the layout of the model is known, so that formulas can have values on it';
COMMENT ON COLUMN backbone.parameters_source IS 'Where the stated number comes from, or why there is none';

CREATE TABLE configuration (
    id VARCHAR PRIMARY KEY,
    method VARCHAR NOT NULL REFERENCES method (id),
    name VARCHAR NOT NULL,
    is_default BOOLEAN NOT NULL,
    basis VARCHAR NOT NULL CHECK (basis IN ('paper', 'library_default', 'survey_text', 'fitted', 'variant')),
    basis_note VARCHAR NOT NULL,
    recipe JSON NOT NULL,
    formula_let JSON NOT NULL,
    formula_trainable VARCHAR NOT NULL,
    formula_added VARCHAR NOT NULL,
    formula_stored VARCHAR NOT NULL,
    is_matched BOOLEAN NOT NULL
);
COMMENT ON TABLE configuration IS 'A method with all its hyper-parameters; exactly one per method is the default';
COMMENT ON COLUMN configuration.id IS 'method/configuration';
COMMENT ON COLUMN configuration.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN configuration.name IS 'What sets it apart from other configurations of the method';
COMMENT ON COLUMN configuration.is_default IS 'Whether the method''s own columns use this one';
COMMENT ON COLUMN configuration.basis IS 'Where the hyper-parameters come from';
COMMENT ON COLUMN configuration.basis_note IS 'The place that states them, or what was varied';
COMMENT ON COLUMN configuration.recipe IS 'What the engine executes, as JSON';
COMMENT ON COLUMN configuration.formula_let IS 'Symbols of this configuration, in order, as a JSON object';
COMMENT ON COLUMN configuration.formula_trainable IS 'Closed form of the trainable parameters';
COMMENT ON COLUMN configuration.formula_added IS 'Closed form of the new parameters';
COMMENT ON COLUMN configuration.is_matched IS 'Whether its places and rank are those of LoRA''s default, query and value at rank 8, so that counts can be compared';
COMMENT ON COLUMN configuration.formula_stored IS 'Closed form of the numbers to keep for each task';

CREATE TABLE quantity (
    id VARCHAR PRIMARY KEY,
    says VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    saved_at_most DECIMAL(5, 4)
);
COMMENT ON TABLE quantity IS 'What is measured, and up to which value a tick of Table 1 is right; the file quantities.yaml';
COMMENT ON COLUMN quantity.id IS 'Short name, unique in this table';
COMMENT ON COLUMN quantity.says IS 'What is measured, in words';
COMMENT ON COLUMN quantity.unit IS 'Its unit';
COMMENT ON COLUMN quantity.saved_at_most IS 'Up to this value a tick is right; NULL where no tick speaks of it';

CREATE TABLE judging (
    judged_on VARCHAR NOT NULL,
    full_tuning VARCHAR NOT NULL,
    matched_to VARCHAR NOT NULL,
    stored_value_bytes INTEGER NOT NULL,
    length INTEGER NOT NULL,
    dtype VARCHAR NOT NULL
);
COMMENT ON TABLE judging IS 'Where ticks are judged: one row; the file quantities.yaml';
COMMENT ON COLUMN judging.judged_on IS 'Base model of the view methods, on which ticks and overheads are judged';
COMMENT ON COLUMN judging.full_tuning IS 'The configuration that is the whole of a share of memory';
COMMENT ON COLUMN judging.matched_to IS 'The configuration whose places and rank those have that columns named matched count';
COMMENT ON COLUMN judging.stored_value_bytes IS 'Bytes of a stored parameter of the base model';
COMMENT ON COLUMN judging.length IS 'Positions of the input at which memory is judged';
COMMENT ON COLUMN judging.dtype IS 'Width of numbers at which memory is judged';

CREATE TABLE survey_row (
    row_label VARCHAR PRIMARY KEY,
    configuration VARCHAR NOT NULL REFERENCES configuration (id),
    evidence VARCHAR NOT NULL
);
COMMENT ON TABLE survey_row IS 'Which configuration each row of the survey''s Table 5 is read as';
COMMENT ON COLUMN survey_row.row_label IS 'First cell of the row, as printed';
COMMENT ON COLUMN survey_row.configuration IS 'Id of the configuration, as in configuration.id';
COMMENT ON COLUMN survey_row.evidence IS 'Why this one';

CREATE TABLE oracle (
    configuration VARCHAR NOT NULL REFERENCES configuration (id),
    position INTEGER NOT NULL CHECK (position >= 0),
    library VARCHAR NOT NULL CHECK (library IN ('peft', 'adapters')),
    config VARCHAR NOT NULL,
    arguments JSON NOT NULL,
    trainable VARCHAR,
    differs_because VARCHAR,
    PRIMARY KEY (configuration, position),
    CHECK ((trainable IS NULL) = (differs_because IS NULL))
);
COMMENT ON TABLE oracle IS 'The same configuration in a library, whose count the tests compare with ours';
COMMENT ON COLUMN oracle.configuration IS 'Id of the configuration, as in configuration.id';
COMMENT ON COLUMN oracle.position IS 'Order in its file, from 0';
COMMENT ON COLUMN oracle.library IS 'Library whose count is compared: peft or adapters';
COMMENT ON COLUMN oracle.config IS 'Its configuration class';
COMMENT ON COLUMN oracle.arguments IS 'Arguments, as a JSON object';
COMMENT ON COLUMN oracle.trainable IS 'The library''s own closed form, where its count differs from ours';
COMMENT ON COLUMN oracle.differs_because IS 'Why it differs';

CREATE TABLE claim (
    locator VARCHAR NOT NULL,
    method VARCHAR NOT NULL REFERENCES method (id),
    table_number INTEGER NOT NULL CHECK (table_number IN (1, 2, 5)),
    row_label VARCHAR NOT NULL,
    column_name VARCHAR NOT NULL,
    configuration VARCHAR REFERENCES configuration (id),
    backbone VARCHAR REFERENCES backbone (id),
    printed VARCHAR,
    status VARCHAR NOT NULL CHECK (status IN ('printed', 'dash', 'missing_in_source')),
    value_min DECIMAL(18, 6),
    value_max DECIMAL(18, 6),
    decimals INTEGER CHECK (decimals >= 0),
    bound VARCHAR CHECK (bound IN ('exact', 'above', 'below')),
    PRIMARY KEY (locator, method),
    CHECK ((status = 'printed') = (printed IS NOT NULL)),
    CHECK ((table_number = 5) = (configuration IS NOT NULL)),
    CHECK ((table_number = 5) = (backbone IS NOT NULL)),
    CHECK (value_min <= value_max)
);
COMMENT ON TABLE claim IS 'What the survey prints in its tables, one cell per row';
COMMENT ON COLUMN claim.locator IS 'Table, row and column, in words';
COMMENT ON COLUMN claim.method IS 'Method that the row is read as';
COMMENT ON COLUMN claim.table_number IS '1, 2 or 5: which table of the survey';
COMMENT ON COLUMN claim.row_label IS 'First cell of the row, as printed';
COMMENT ON COLUMN claim.column_name IS 'Which cell of the row: the column of the survey''s table';
COMMENT ON COLUMN claim.configuration IS 'Table 5: the configuration that the row is read as';
COMMENT ON COLUMN claim.backbone IS 'Table 5: the backbone';
COMMENT ON COLUMN claim.printed IS 'The cell, as printed';
COMMENT ON COLUMN claim.status IS 'Whether the cell has text; dash and missing_in_source are not the same';
COMMENT ON COLUMN claim.value_min IS 'Lower end of a printed figure';
COMMENT ON COLUMN claim.value_max IS 'Upper end of a printed figure';
COMMENT ON COLUMN claim.decimals IS 'Digits after the point, as printed';
COMMENT ON COLUMN claim.bound IS 'Whether the figure is exact, or a bound such as >0.5 (above)';

CREATE TABLE run (
    run VARCHAR PRIMARY KEY,
    date DATE NOT NULL,
    surveykit VARCHAR NOT NULL,
    python VARCHAR NOT NULL,
    torch VARCHAR NOT NULL,
    transformers VARCHAR NOT NULL
);
COMMENT ON TABLE run IS 'Environments that measurements came from';
COMMENT ON COLUMN run.run IS 'Name of the run, which measurements refer to';
COMMENT ON COLUMN run.date IS 'Day on which it was run';
COMMENT ON COLUMN run.surveykit IS 'Version of surveykit';
COMMENT ON COLUMN run.python IS 'Version of Python';
COMMENT ON COLUMN run.torch IS 'Version of torch';
COMMENT ON COLUMN run.transformers IS 'Version of transformers';

CREATE TABLE measurement (
    configuration VARCHAR NOT NULL REFERENCES configuration (id),
    backbone VARCHAR NOT NULL REFERENCES backbone (id),
    status VARCHAR NOT NULL CHECK (status IN ('counted', 'failed')),
    reason VARCHAR,
    trainable BIGINT CHECK (trainable >= 0),
    trainable_task BIGINT CHECK (trainable_task >= 0),
    effective BIGINT CHECK (effective >= 0),
    trained_pretrained BIGINT CHECK (trained_pretrained >= 0),
    added BIGINT CHECK (added >= 0),
    expanded BIGINT CHECK (expanded >= 0),
    stored BIGINT CHECK (stored >= 0),
    stored_shared BIGINT CHECK (stored_shared >= 0),
    stored_bytes BIGINT CHECK (stored_bytes >= 0),
    changed BIGINT CHECK (changed >= 0),
    update_rank BIGINT CHECK (update_rank >= 0),
    optimizer_state BIGINT CHECK (optimizer_state >= 0),
    quantized BIGINT CHECK (quantized >= 0),
    provenance VARCHAR NOT NULL CHECK (provenance IN ('config', 'header', 'weights')),
    key VARCHAR NOT NULL,
    run VARCHAR NOT NULL REFERENCES run (run),
    is_stale BOOLEAN NOT NULL,
    PRIMARY KEY (configuration, backbone)
);
COMMENT ON TABLE measurement IS 'What the engine counted; the files in catalog/measured';
COMMENT ON COLUMN measurement.configuration IS 'Id of the configuration, as in configuration.id';
COMMENT ON COLUMN measurement.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN measurement.status IS 'Whether it was counted';
COMMENT ON COLUMN measurement.reason IS 'Why it failed; NULL when it did not';
COMMENT ON COLUMN measurement.trainable IS 'Parameters that the optimizer holds in the largest stage';
COMMENT ON COLUMN measurement.trainable_task IS 'Parameters that the optimizer holds in the last stage of each task';
COMMENT ON COLUMN measurement.effective IS 'Of those of that stage, the ones that may move under a mask';
COMMENT ON COLUMN measurement.trained_pretrained IS 'Pretrained parameters among the trainable ones of that stage';
COMMENT ON COLUMN measurement.added IS 'New parameters, as trained';
COMMENT ON COLUMN measurement.expanded IS 'New entries of the network once all that can is merged, with products written out';
COMMENT ON COLUMN measurement.stored IS 'Numbers to keep for each task';
COMMENT ON COLUMN measurement.stored_shared IS 'Numbers to keep once for all tasks';
COMMENT ON COLUMN measurement.stored_bytes IS 'Bytes to keep for each task, with the indices of sparse forms and seeds, at 4 bytes a number; a file that keeps trained base weights in 2 bytes is half as large';
COMMENT ON COLUMN measurement.changed IS 'Entries of the pretrained weights that can differ once all that can is merged';
COMMENT ON COLUMN measurement.update_rank IS 'Largest rank of the change of a pretrained matrix';
COMMENT ON COLUMN measurement.optimizer_state IS 'Numbers that the optimizer keeps, in the stage in which they are most';
COMMENT ON COLUMN measurement.quantized IS 'Pretrained numbers that the last stage holds in few bits';
COMMENT ON COLUMN measurement.provenance IS 'What the backbone was built from';
COMMENT ON COLUMN measurement.key IS 'Staleness key: recipe, backbone, code';
COMMENT ON COLUMN measurement.run IS 'The run that found it';
COMMENT ON COLUMN measurement.is_stale IS 'Whether recipe, backbone or code changed since';

CREATE TABLE formula_value (
    configuration VARCHAR NOT NULL REFERENCES configuration (id),
    backbone VARCHAR NOT NULL REFERENCES backbone (id),
    trainable BIGINT NOT NULL,
    trainable_task BIGINT NOT NULL,
    effective BIGINT NOT NULL,
    added BIGINT NOT NULL,
    expanded BIGINT NOT NULL,
    stored BIGINT NOT NULL,
    stored_shared BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    update_rank BIGINT NOT NULL,
    optimizer_state BIGINT NOT NULL,
    quantized BIGINT NOT NULL,
    PRIMARY KEY (configuration, backbone)
);
COMMENT ON TABLE formula_value IS 'The closed forms, evaluated';
COMMENT ON COLUMN formula_value.configuration IS 'Id of the configuration, as in configuration.id';
COMMENT ON COLUMN formula_value.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN formula_value.trainable IS 'Parameters that the optimizer holds in the largest stage, by the closed form';
COMMENT ON COLUMN formula_value.trainable_task IS 'Parameters that the optimizer holds in the last stage of each task, by the closed form';
COMMENT ON COLUMN formula_value.effective IS 'Of those of that stage, the ones that may move under a mask, by the closed form';
COMMENT ON COLUMN formula_value.added IS 'New parameters, as trained, by the closed form';
COMMENT ON COLUMN formula_value.expanded IS 'New entries of the network once all that can is merged, with products written out, by the closed form';
COMMENT ON COLUMN formula_value.stored IS 'Numbers to keep for each task, by the closed form';
COMMENT ON COLUMN formula_value.stored_shared IS 'Numbers to keep once for all tasks, by the closed form';
COMMENT ON COLUMN formula_value.changed IS 'Entries of the pretrained weights that can differ once all that can is merged, by the closed form';
COMMENT ON COLUMN formula_value.update_rank IS 'Largest rank of the change of a pretrained matrix, by the closed form';
COMMENT ON COLUMN formula_value.optimizer_state IS 'Numbers that the optimizer keeps, in the stage in which they are most, by the closed form';
COMMENT ON COLUMN formula_value.quantized IS 'Pretrained numbers that the last stage holds in few bits, by the closed form';

CREATE TABLE explanation (
    method VARCHAR NOT NULL REFERENCES method (id),
    position INTEGER NOT NULL CHECK (position >= 0),
    row_label VARCHAR NOT NULL REFERENCES survey_row (row_label),
    cause VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    fits_setup VARCHAR REFERENCES configuration (id),
    correction VARCHAR,
    innocent VARCHAR NOT NULL,
    evidence VARCHAR,
    remark VARCHAR,
    PRIMARY KEY (method, position),
    CHECK (cause <> 'unresolved' OR fits_setup IS NULL)
);
COMMENT ON TABLE explanation IS 'Reviewed reasons why printed figures and ours differ';
COMMENT ON COLUMN explanation.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN explanation.position IS 'Order in its file, from 0';
COMMENT ON COLUMN explanation.row_label IS 'Row of Table 5';
COMMENT ON COLUMN explanation.cause IS 'Kind of cause, or unresolved';
COMMENT ON COLUMN explanation.text IS 'The reason, worded as what was found';
COMMENT ON COLUMN explanation.fits_setup IS 'A configuration that gives the printed figures exactly';
COMMENT ON COLUMN explanation.correction IS 'What could be printed instead; NULL where nothing is suggested';
COMMENT ON COLUMN explanation.innocent IS 'How the figures can have come about without anybody''s fault';
COMMENT ON COLUMN explanation.evidence IS 'A SELECT of one row whose values are the figures that the text derives';
COMMENT ON COLUMN explanation.remark IS 'Why figures that contradict each other are a mere remark and no erratum; NULL where they are one';

CREATE TABLE cell_explanation (
    method VARCHAR NOT NULL REFERENCES method (id),
    table_number INTEGER NOT NULL CHECK (table_number IN (1, 2)),
    column_name VARCHAR NOT NULL,
    printed VARCHAR NOT NULL,
    cause VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    innocent VARCHAR,
    evidence VARCHAR,
    PRIMARY KEY (method, table_number, column_name)
);
COMMENT ON TABLE cell_explanation IS 'Reviewed reasons why a cell of Tables 1 and 2 and what we measure differ';
COMMENT ON COLUMN cell_explanation.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN cell_explanation.table_number IS 'Which table of the survey the cell is in';
COMMENT ON COLUMN cell_explanation.column_name IS 'Which cell of the row: the column of the survey''s table';
COMMENT ON COLUMN cell_explanation.printed IS 'The cell, as printed';
COMMENT ON COLUMN cell_explanation.cause IS 'Kind of cause, or unresolved';
COMMENT ON COLUMN cell_explanation.text IS 'The reason, worded as what was found';
COMMENT ON COLUMN cell_explanation.innocent IS 'How the cell can have come about without anybody''s fault';
COMMENT ON COLUMN cell_explanation.evidence IS 'A SELECT of one row whose values are the figures that the text derives';

CREATE TABLE explanation_figure (
    method VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    backbone VARCHAR NOT NULL REFERENCES backbone (id),
    column_name VARCHAR NOT NULL CHECK (column_name IN ('params_millions', 'params_percent')),
    printed VARCHAR NOT NULL,
    PRIMARY KEY (method, position, backbone, column_name),
    FOREIGN KEY (method, position) REFERENCES explanation (method, position)
);
COMMENT ON TABLE explanation_figure IS 'The printed figures that an explanation speaks of';
COMMENT ON COLUMN explanation_figure.method IS 'Method of the explanation';
COMMENT ON COLUMN explanation_figure.position IS 'Position of the explanation';
COMMENT ON COLUMN explanation_figure.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN explanation_figure.column_name IS 'Column of Table 5';
COMMENT ON COLUMN explanation_figure.printed IS 'The figure, as printed';

CREATE TABLE explanation_tried (
    method VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    configuration VARCHAR NOT NULL REFERENCES configuration (id),
    PRIMARY KEY (method, position, configuration),
    FOREIGN KEY (method, position) REFERENCES explanation (method, position)
);
COMMENT ON TABLE explanation_tried IS 'Configurations that were tried and do not give the printed figures';
COMMENT ON COLUMN explanation_tried.method IS 'Method of the explanation';
COMMENT ON COLUMN explanation_tried.position IS 'Position of the explanation';
COMMENT ON COLUMN explanation_tried.configuration IS 'Id of the configuration, as in configuration.id';

CREATE TABLE verdict (
    locator VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    row_label VARCHAR NOT NULL,
    configuration VARCHAR NOT NULL REFERENCES configuration (id),
    backbone VARCHAR NOT NULL REFERENCES backbone (id),
    column_name VARCHAR NOT NULL CHECK (column_name IN ('params_millions', 'params_percent')),
    printed VARCHAR NOT NULL,
    measured DECIMAL(24, 10),
    verdict VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    cause VARCHAR,
    explanation VARCHAR,
    fits_setup VARCHAR REFERENCES configuration (id),
    PRIMARY KEY (locator, method),
    FOREIGN KEY (locator, method) REFERENCES claim (locator, method)
);
COMMENT ON TABLE verdict IS 'Every printed parameter figure of Table 5 beside ours';
COMMENT ON COLUMN verdict.locator IS 'Table, backbone, row and column, in words';
COMMENT ON COLUMN verdict.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN verdict.row_label IS 'First cell of the row, as printed';
COMMENT ON COLUMN verdict.configuration IS 'Configuration that the row is read as';
COMMENT ON COLUMN verdict.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN verdict.column_name IS 'Column: parameters in millions, or in percent of the backbone';
COMMENT ON COLUMN verdict.printed IS 'The figure, as printed';
COMMENT ON COLUMN verdict.measured IS 'Our figure in the column''s unit; NULL when nothing was measured';
COMMENT ON COLUMN verdict.verdict IS 'match, differs or not_measured, at the printed rounding';
COMMENT ON COLUMN verdict.outcome IS 'Verdict and its explanation: match, fits_another_setup, inconsistent, unresolved, unexplained or not_measured';
COMMENT ON COLUMN verdict.cause IS 'Kind of cause of a difference';
COMMENT ON COLUMN verdict.explanation IS 'The reason of a difference';
COMMENT ON COLUMN verdict.fits_setup IS 'A configuration that gives the printed figure exactly';

CREATE TABLE cost (
    configuration VARCHAR NOT NULL REFERENCES configuration (id),
    backbone VARCHAR NOT NULL REFERENCES backbone (id),
    status VARCHAR NOT NULL,
    reason VARCHAR,
    blocks BIGINT,
    blocks_backward BIGINT,
    blocks_input_gradient BIGINT,
    activation_gradient_flops BIGINT,
    forward_flops BIGINT,
    backward_flops BIGINT,
    inference_flops BIGINT,
    merged_flops BIGINT,
    bare_flops BIGINT,
    inference_elementwise BIGINT,
    merged_elementwise BIGINT,
    bare_elementwise BIGINT,
    inference_parameters BIGINT,
    merged_parameters BIGINT,
    inference_positions BIGINT,
    merged_positions BIGINT,
    overhead_unmerged VARCHAR,
    overhead_merged VARCHAR,
    key VARCHAR NOT NULL,
    run VARCHAR NOT NULL REFERENCES run (run),
    backward VARCHAR,
    is_stale BOOLEAN NOT NULL,
    PRIMARY KEY (configuration, backbone)
);
COMMENT ON TABLE cost IS 'Where backward runs and what inference costs; the files in catalog/measured/costs';
COMMENT ON COLUMN cost.configuration IS 'Id of the configuration, as in configuration.id';
COMMENT ON COLUMN cost.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN cost.status IS 'Whether it ran';
COMMENT ON COLUMN cost.reason IS 'Why it cannot run; null when it can';
COMMENT ON COLUMN cost.backward IS 'How far backward reaches: none, partial or full; NULL where nothing was traced';
COMMENT ON COLUMN cost.blocks IS 'Blocks of the backbone';
COMMENT ON COLUMN cost.blocks_backward IS 'Blocks in which backward runs at all';
COMMENT ON COLUMN cost.blocks_input_gradient IS 'Blocks whose input receives a gradient';
COMMENT ON COLUMN cost.activation_gradient_flops IS 'FLOPs for gradients of activations in the blocks'' own layers, in training';
COMMENT ON COLUMN cost.forward_flops IS 'FLOPs of matrix multiplications of a training step''s forward pass';
COMMENT ON COLUMN cost.backward_flops IS 'FLOPs of matrix multiplications of a training step''s backward pass';
COMMENT ON COLUMN cost.inference_flops IS 'FLOPs of matrix multiplications of one inference pass before merging';
COMMENT ON COLUMN cost.merged_flops IS 'FLOPs of matrix multiplications of one inference pass after merging what can be merged';
COMMENT ON COLUMN cost.bare_flops IS 'FLOPs of matrix multiplications of one inference pass of the base model alone';
COMMENT ON COLUMN cost.inference_elementwise IS 'Numbers that elementwise operations write in one inference pass before merging';
COMMENT ON COLUMN cost.merged_elementwise IS 'Numbers that elementwise operations write in one inference pass after merging';
COMMENT ON COLUMN cost.bare_elementwise IS 'Numbers that elementwise operations write in one inference pass of the base model alone';
COMMENT ON COLUMN cost.inference_parameters IS 'Parameters that the network has beyond the base model''s before merging';
COMMENT ON COLUMN cost.merged_parameters IS 'Parameters that the network has beyond the base model''s after merging';
COMMENT ON COLUMN cost.inference_positions IS 'Positions added to an input or to the keys of an attention before merging';
COMMENT ON COLUMN cost.merged_positions IS 'Positions added to an input or to the keys of an attention after merging';
COMMENT ON COLUMN cost.overhead_unmerged IS 'Kinds of inference overhead before merging, joined by +: ffn, linear, gating, input, decoder; or none';
COMMENT ON COLUMN cost.overhead_merged IS 'Kinds of inference overhead after merging what can be merged, joined by +; or none';
COMMENT ON COLUMN cost.key IS 'Hash of the recipe, the base model and the code that was run; another hash now means that the row is stale';
COMMENT ON COLUMN cost.run IS 'The run that found it';
COMMENT ON COLUMN cost.is_stale IS 'Whether recipe, backbone, settings or code changed since';

CREATE TABLE memory_use (
    configuration VARCHAR NOT NULL REFERENCES configuration (id),
    backbone VARCHAR NOT NULL REFERENCES backbone (id),
    batch BIGINT,
    length BIGINT NOT NULL,
    target_length BIGINT,
    dtype VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    reason VARCHAR,
    peak BIGINT,
    peak_any_stage BIGINT,
    weights BIGINT,
    gradients BIGINT,
    optimizer BIGINT,
    saved BIGINT,
    key VARCHAR NOT NULL,
    run VARCHAR NOT NULL REFERENCES run (run),
    is_stale BOOLEAN NOT NULL,
    PRIMARY KEY (configuration, backbone, length, dtype)
);
COMMENT ON TABLE memory_use IS 'Predicted peak memory of training; the files in catalog/measured/memory';
COMMENT ON COLUMN memory_use.configuration IS 'Id of the configuration, as in configuration.id';
COMMENT ON COLUMN memory_use.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN memory_use.batch IS 'Examples in a batch';
COMMENT ON COLUMN memory_use.length IS 'Tokens of the encoder''s input';
COMMENT ON COLUMN memory_use.target_length IS 'Tokens of the decoder''s input';
COMMENT ON COLUMN memory_use.dtype IS 'Of weights, gradients, activations and optimizer state alike';
COMMENT ON COLUMN memory_use.status IS 'Whether it ran';
COMMENT ON COLUMN memory_use.reason IS 'Why it cannot run; NULL when it can';
COMMENT ON COLUMN memory_use.peak IS 'Predicted peak of a training step in the last stage, optimizer state included, in bytes';
COMMENT ON COLUMN memory_use.peak_any_stage IS 'Predicted peak of a training step in the stage that needs most, in bytes';
COMMENT ON COLUMN memory_use.weights IS 'Parameters and buffers, of the base model and of the method, in bytes';
COMMENT ON COLUMN memory_use.gradients IS 'Gradients of parameters, in bytes';
COMMENT ON COLUMN memory_use.optimizer IS 'State of the optimizer, in bytes';
COMMENT ON COLUMN memory_use.saved IS 'Activations kept for the backward pass, in bytes';
COMMENT ON COLUMN memory_use.key IS 'Hash of the recipe, the base model and the code that was run; another hash now means that the row is stale';
COMMENT ON COLUMN memory_use.run IS 'The run that found it';
COMMENT ON COLUMN memory_use.is_stale IS 'Whether recipe, backbone, settings or code changed since';

CREATE TABLE trial (
    configuration VARCHAR NOT NULL REFERENCES configuration (id),
    status VARCHAR NOT NULL,
    reason VARCHAR,
    loss_falls VARCHAR,
    stray VARCHAR,
    merge VARCHAR,
    obstacle VARCHAR,
    restored VARCHAR,
    saved_bytes BIGINT,
    changed BIGINT,
    changed_random BIGINT,
    changed_trained BIGINT,
    update_rank BIGINT,
    rank BIGINT,
    key VARCHAR NOT NULL,
    run VARCHAR NOT NULL REFERENCES run (run),
    is_stale BOOLEAN NOT NULL,
    PRIMARY KEY (configuration)
);
COMMENT ON TABLE trial IS 'What each configuration did when it was trained on a tiny T5; the files in catalog/measured/trials';
COMMENT ON COLUMN trial.configuration IS 'Id of the configuration, as in configuration.id';
COMMENT ON COLUMN trial.status IS 'Whether it ran';
COMMENT ON COLUMN trial.reason IS 'Why it cannot run; NULL when it can';
COMMENT ON COLUMN trial.loss_falls IS 'Whether a few steps lower the loss in every stage; null where nothing is trained';
COMMENT ON COLUMN trial.stray IS 'A tensor that moved and should not have';
COMMENT ON COLUMN trial.merge IS 'What merging gave: exact, partly (some weights cannot be merged), none, or differs';
COMMENT ON COLUMN trial.obstacle IS 'Why something cannot be merged; NULL when all can';
COMMENT ON COLUMN trial.restored IS 'Whether the bare backbone and the saved bytes alone gave the outputs';
COMMENT ON COLUMN trial.saved_bytes IS 'Bytes that a task stores, as saved';
COMMENT ON COLUMN trial.changed IS 'Pretrained parameters that can change on the tiny model, by the count';
COMMENT ON COLUMN trial.changed_random IS 'Pretrained parameters that differed after a random update was merged';
COMMENT ON COLUMN trial.changed_trained IS 'Pretrained parameters that differed after three optimizer steps in each stage';
COMMENT ON COLUMN trial.update_rank IS 'Rank of the change by the count';
COMMENT ON COLUMN trial.rank IS 'Rank of the change by its singular values, after the random update';
COMMENT ON COLUMN trial.key IS 'Hash of the recipe, the base model and the code that was run; another hash now means that the row is stale';
COMMENT ON COLUMN trial.run IS 'The run that found it';
COMMENT ON COLUMN trial.is_stale IS 'Whether recipe, backbone, settings or code changed since';

CREATE TABLE cell_verdict (
    locator VARCHAR NOT NULL,
    method VARCHAR NOT NULL REFERENCES method (id),
    table_number INTEGER NOT NULL CHECK (table_number IN (1, 2)),
    row_label VARCHAR NOT NULL,
    column_name VARCHAR NOT NULL,
    printed VARCHAR NOT NULL,
    configuration VARCHAR REFERENCES configuration (id),
    backbone VARCHAR REFERENCES backbone (id),
    measured VARCHAR,
    verdict VARCHAR NOT NULL CHECK (verdict IN (
        'match', 'within_range', 'outside_range', 'partly', 'differs', 'predicted', 'not_comparable', 'not_measured')),
    sense VARCHAR,
    reason VARCHAR NOT NULL,
    found_by VARCHAR CHECK (found_by IN ('default', 'search')),
    candidates INTEGER,
    fitting INTEGER,
    cause VARCHAR,
    explanation VARCHAR,
    fits_setup VARCHAR REFERENCES configuration (id),
    PRIMARY KEY (locator, method)
);
COMMENT ON TABLE cell_verdict IS 'Every cell of Tables 1 and 2 beside what we measure';
COMMENT ON COLUMN cell_verdict.locator IS 'Table, row and column, in words';
COMMENT ON COLUMN cell_verdict.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN cell_verdict.table_number IS '1 or 2: which table of the survey';
COMMENT ON COLUMN cell_verdict.row_label IS 'First cell of the row, as printed';
COMMENT ON COLUMN cell_verdict.column_name IS 'Which cell of the row: the column of the survey''s table';
COMMENT ON COLUMN cell_verdict.printed IS 'The cell, as printed';
COMMENT ON COLUMN cell_verdict.configuration IS 'The configuration that was looked at';
COMMENT ON COLUMN cell_verdict.backbone IS 'The backbone that was looked at';
COMMENT ON COLUMN cell_verdict.measured IS 'Our figure or word; NULL when nothing was measured';
COMMENT ON COLUMN cell_verdict.verdict IS 'match, within_range, outside_range, partly, differs, not_comparable or not_measured';
COMMENT ON COLUMN cell_verdict.sense IS 'What our figure counts, or which state of the edits it speaks of';
COMMENT ON COLUMN cell_verdict.reason IS 'What was looked at, or why there is nothing to compare';
COMMENT ON COLUMN cell_verdict.found_by IS 'default: the default configuration agrees, compared before any other; search: another configuration, base model or sense does; NULL where none does';
COMMENT ON COLUMN cell_verdict.candidates IS 'How many figures of ours were compared with the printed one';
COMMENT ON COLUMN cell_verdict.fitting IS 'How many of them agree with it';
COMMENT ON COLUMN cell_verdict.cause IS 'Kind of cause of a difference';
COMMENT ON COLUMN cell_verdict.explanation IS 'The reviewed reason of a difference';
COMMENT ON COLUMN cell_verdict.fits_setup IS 'Another configuration, which gives the printed cell; NULL where none is known';

CREATE TABLE memory_prediction (
    backbone VARCHAR NOT NULL REFERENCES backbone (id),
    row_label VARCHAR NOT NULL,
    method VARCHAR NOT NULL REFERENCES method (id),
    configuration VARCHAR NOT NULL REFERENCES configuration (id),
    batch INTEGER NOT NULL,
    length INTEGER NOT NULL,
    dtype VARCHAR NOT NULL,
    printed_gb DECIMAL(18, 6) NOT NULL,
    predicted_gb DECIMAL(24, 10) NOT NULL,
    error_percent DOUBLE NOT NULL,
    is_best_setting BOOLEAN NOT NULL,
    read_as VARCHAR REFERENCES configuration (id),
    read_as_gb DECIMAL(24, 10),
    PRIMARY KEY (backbone, row_label, length, dtype)
);
COMMENT ON TABLE memory_prediction IS 'Memory of the survey''s Table 5 beside the predicted peak, in each traced setting; nothing is judged';
COMMENT ON COLUMN memory_prediction.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN memory_prediction.row_label IS 'First cell of the row, as printed';
COMMENT ON COLUMN memory_prediction.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN memory_prediction.configuration IS 'Configuration that the row is read as';
COMMENT ON COLUMN memory_prediction.batch IS 'Examples at once: the microbatch of Table 3 for RTE';
COMMENT ON COLUMN memory_prediction.length IS 'Positions of the encoder''s input';
COMMENT ON COLUMN memory_prediction.dtype IS 'Width of weights, gradients, activations and optimizer state';
COMMENT ON COLUMN memory_prediction.printed_gb IS 'Memory in GB, as printed in Table 5';
COMMENT ON COLUMN memory_prediction.predicted_gb IS 'Predicted peak of the stage that needs most, in GB of 10^9 bytes';
COMMENT ON COLUMN memory_prediction.error_percent IS 'How far the prediction lies above the printed figure, in percent';
COMMENT ON COLUMN memory_prediction.is_best_setting IS 'Whether length and width are those that fit all rows best';
COMMENT ON COLUMN memory_prediction.read_as IS 'Configuration of another method whose parameter count the row prints; NULL where there is none';
COMMENT ON COLUMN memory_prediction.read_as_gb IS 'Predicted peak of that configuration, in GB of 10^9 bytes; NULL where it was not traced in this setting';

CREATE TABLE memory_setting (
    sample VARCHAR NOT NULL,
    backbone VARCHAR REFERENCES backbone (id),
    length INTEGER NOT NULL,
    dtype VARCHAR NOT NULL,
    rows INTEGER NOT NULL,
    mean_error_percent DOUBLE NOT NULL,
    mean_absolute_error_percent DOUBLE NOT NULL,
    least_error_percent DOUBLE NOT NULL,
    greatest_error_percent DOUBLE NOT NULL,
    rank_correlation DOUBLE,
    is_chosen BOOLEAN NOT NULL
);
COMMENT ON TABLE memory_setting IS 'Errors of predicted memory against the survey''s Table 5, by setting, sample of rows, and backbone';
COMMENT ON COLUMN memory_setting.sample IS 'all: each row predicted as the configuration it names; left_out: without rows that print another method''s count; as_read: with these predicted as that method';
COMMENT ON COLUMN memory_setting.backbone IS 'Backbone of the rows; NULL: all backbones together';
COMMENT ON COLUMN memory_setting.length IS 'Positions of the encoder''s input';
COMMENT ON COLUMN memory_setting.dtype IS 'Width of weights, gradients, activations and optimizer state';
COMMENT ON COLUMN memory_setting.rows IS 'Printed figures compared';
COMMENT ON COLUMN memory_setting.mean_error_percent IS 'Mean error with its sign, in percent of the printed figure: below 0 where predictions are too low';
COMMENT ON COLUMN memory_setting.mean_absolute_error_percent IS 'Mean of the absolute errors, in percent';
COMMENT ON COLUMN memory_setting.least_error_percent IS 'Error of the row that is predicted lowest, in percent';
COMMENT ON COLUMN memory_setting.greatest_error_percent IS 'Error of the row that is predicted highest, in percent';
COMMENT ON COLUMN memory_setting.rank_correlation IS 'Spearman''s rank correlation of printed and predicted figures, equal values sharing their mean rank; NULL where there is none';
COMMENT ON COLUMN memory_setting.is_chosen IS 'Whether the setting has the smallest mean absolute error on all rows or, for one backbone, on the rows of the others: its errors are then out of sample';

CREATE TABLE citation (
    key VARCHAR NOT NULL REFERENCES paper (key),
    section VARCHAR NOT NULL,
    times INTEGER NOT NULL CHECK (times > 0),
    PRIMARY KEY (key, section)
);
COMMENT ON TABLE citation IS 'How often each section of the survey cites a paper';
COMMENT ON COLUMN citation.key IS 'Key of the paper';
COMMENT ON COLUMN citation.section IS 'Section of the survey, as numbered there';
COMMENT ON COLUMN citation.times IS 'Number of citations in that section';

CREATE TABLE printed_name (
    table_label VARCHAR NOT NULL,
    printed VARCHAR NOT NULL,
    method VARCHAR NOT NULL REFERENCES method (id),
    configuration VARCHAR REFERENCES configuration (id),
    evidence VARCHAR NOT NULL,
    PRIMARY KEY (table_label, printed)
);
COMMENT ON TABLE printed_name IS 'Names under which tables of the survey speak of methods';
COMMENT ON COLUMN printed_name.table_label IS 'Table or appendix';
COMMENT ON COLUMN printed_name.printed IS 'Name as printed there';
COMMENT ON COLUMN printed_name.method IS 'Method that it is read as';
COMMENT ON COLUMN printed_name.configuration IS 'Configuration that it is read as, where one is meant';
COMMENT ON COLUMN printed_name.evidence IS 'Why it is read so';

CREATE TABLE microbatch (
    backbone VARCHAR NOT NULL REFERENCES backbone (id),
    backbone_label VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    microbatch INTEGER NOT NULL CHECK (microbatch > 0),
    PRIMARY KEY (backbone, dataset)
);
COMMENT ON TABLE microbatch IS 'The survey''s Table 3';
COMMENT ON COLUMN microbatch.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN microbatch.backbone_label IS 'Its label in Table 5';
COMMENT ON COLUMN microbatch.dataset IS 'Name of the dataset in the survey';
COMMENT ON COLUMN microbatch.microbatch IS 'Examples processed at once';

CREATE TABLE category_cell (
    position INTEGER PRIMARY KEY,
    aspect VARCHAR NOT NULL,
    detail VARCHAR,
    category VARCHAR NOT NULL,
    subcategory VARCHAR,
    printed VARCHAR,
    status VARCHAR NOT NULL
);
COMMENT ON TABLE category_cell IS 'The cells of the survey''s Table 6';
COMMENT ON COLUMN category_cell.position IS 'Order, from 1';
COMMENT ON COLUMN category_cell.aspect IS 'Group of rows, as printed';
COMMENT ON COLUMN category_cell.detail IS 'Row within the group; NULL where it has one row';
COMMENT ON COLUMN category_cell.category IS 'Category of methods';
COMMENT ON COLUMN category_cell.subcategory IS 'Column within the category; NULL where it has one';
COMMENT ON COLUMN category_cell.printed IS 'The cell, as printed; a cell that spans columns stands in each';
COMMENT ON COLUMN category_cell.status IS 'printed, blank or missing_in_source';

CREATE TABLE raw_score (
    position INTEGER PRIMARY KEY,
    backbone VARCHAR NOT NULL REFERENCES backbone (id),
    model VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    seed_printed VARCHAR,
    score_printed VARCHAR
);
COMMENT ON TABLE raw_score IS 'The survey''s Appendix B, as printed';
COMMENT ON COLUMN raw_score.position IS 'Order, from 1';
COMMENT ON COLUMN raw_score.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN raw_score.model IS 'Its name as printed';
COMMENT ON COLUMN raw_score.method IS 'Name of the method, as printed in Appendix B';
COMMENT ON COLUMN raw_score.dataset IS 'Name of the dataset in the survey';
COMMENT ON COLUMN raw_score.seed_printed IS 'Random seed; NULL where the cell is blank';
COMMENT ON COLUMN raw_score.score_printed IS 'Accuracy in percent, or ROUGE-L on CNN; NULL where the cell is blank';

CREATE TABLE prompt (
    dataset VARCHAR PRIMARY KEY,
    prompt VARCHAR NOT NULL
);
COMMENT ON TABLE prompt IS 'Task descriptions of the survey''s Appendix A';
COMMENT ON COLUMN prompt.dataset IS 'Name of the dataset in the survey';
COMMENT ON COLUMN prompt.prompt IS 'Text put before each example';

CREATE TABLE missing_in_source (
    what VARCHAR PRIMARY KEY,
    locator VARCHAR NOT NULL,
    reason VARCHAR NOT NULL
);
COMMENT ON TABLE missing_in_source IS 'What the survey has and the text we used lacks';
COMMENT ON COLUMN missing_in_source.what IS 'What is missing';
COMMENT ON COLUMN missing_in_source.locator IS 'Where it would stand';
COMMENT ON COLUMN missing_in_source.reason IS 'What the text we used has instead';

CREATE TABLE said (
    topic VARCHAR NOT NULL,
    locator VARCHAR NOT NULL,
    printed VARCHAR NOT NULL,
    value DOUBLE,
    PRIMARY KEY (topic, locator, printed)
);
COMMENT ON TABLE said IS 'Facts that stand in the survey''s text rather than in a table';
COMMENT ON COLUMN said.topic IS 'What it is a fact about';
COMMENT ON COLUMN said.locator IS 'Where it stands';
COMMENT ON COLUMN said.printed IS 'As printed: a figure, or a few words';
COMMENT ON COLUMN said.value IS 'A figure as a number, in units; NULL for words';

CREATE TABLE statement (
    position INTEGER NOT NULL,
    id VARCHAR PRIMARY KEY,
    locator VARCHAR NOT NULL,
    says VARCHAR NOT NULL,
    headline VARCHAR NOT NULL,
    status VARCHAR NOT NULL CHECK (status IN ('holds', 'contradicted', 'depends_on_reading', 'not_checkable')),
    note VARCHAR,
    reason VARCHAR,
    correction VARCHAR,
    innocent VARCHAR,
    evidence VARCHAR,
    remark VARCHAR
);
COMMENT ON TABLE statement IS 'Sentences of the survey that its own tables can confirm or contradict';
COMMENT ON COLUMN statement.position IS 'Order, from 1';
COMMENT ON COLUMN statement.id IS 'Short name, unique in this table';
COMMENT ON COLUMN statement.locator IS 'Where the sentence stands';
COMMENT ON COLUMN statement.says IS 'What it says, in our words';
COMMENT ON COLUMN statement.headline IS 'What was found, in one sentence';
COMMENT ON COLUMN statement.status IS 'Status as reviewed';
COMMENT ON COLUMN statement.note IS 'Reviewed note with the figures';
COMMENT ON COLUMN statement.reason IS 'Why it cannot be checked; NULL when it can';
COMMENT ON COLUMN statement.correction IS 'What the sentence could say instead; NULL where nothing is suggested';
COMMENT ON COLUMN statement.innocent IS 'How a contradicted sentence can have come about without anybody''s fault';
COMMENT ON COLUMN statement.evidence IS 'A SELECT of one row whose values are the figures that the note derives beyond those of the readings';
COMMENT ON COLUMN statement.remark IS 'Why a contradiction is a mere remark and no erratum; NULL where it is one';

CREATE TABLE second_reading (
    finding VARCHAR PRIMARY KEY,
    date DATE NOT NULL,
    outcome VARCHAR NOT NULL CHECK (outcome IN ('as_it_was', 'reworded', 'made_a_remark')),
    digest VARCHAR NOT NULL,
    digest_now VARCHAR NOT NULL,
    stands BOOLEAN NOT NULL
);
COMMENT ON TABLE second_reading IS 'Findings that somebody who did not write them has checked and signed';
COMMENT ON COLUMN second_reading.finding IS 'Id of a statement or data check; or a row of Table 5 with the models that an explanation speaks of';
COMMENT ON COLUMN second_reading.date IS 'Day on which it was signed';
COMMENT ON COLUMN second_reading.outcome IS 'What had to change before it was signed';
COMMENT ON COLUMN second_reading.digest IS 'Digest of its texts, figures and queries as signed';
COMMENT ON COLUMN second_reading.digest_now IS 'Digest of what stands in the catalog now';
COMMENT ON COLUMN second_reading.stands IS 'Whether the two are the same; a finding that has changed must be signed again';

CREATE TABLE statement_reading (
    statement VARCHAR NOT NULL REFERENCES statement (id),
    position INTEGER NOT NULL,
    reading VARCHAR NOT NULL,
    sql VARCHAR NOT NULL,
    PRIMARY KEY (statement, position)
);
COMMENT ON TABLE statement_reading IS 'Fair readings of a statement, each with its query';
COMMENT ON COLUMN statement_reading.statement IS 'Id of the statement, as in statement.id';
COMMENT ON COLUMN statement_reading.position IS 'Order, from 1';
COMMENT ON COLUMN statement_reading.reading IS 'The reading, in words';
COMMENT ON COLUMN statement_reading.sql IS 'A SELECT of one row with a column holds';

CREATE TABLE data_check (
    position INTEGER NOT NULL,
    id VARCHAR PRIMARY KEY,
    looks_for VARCHAR NOT NULL,
    sql VARCHAR NOT NULL,
    found INTEGER NOT NULL,
    note VARCHAR NOT NULL,
    innocent VARCHAR,
    evidence VARCHAR
);
COMMENT ON TABLE data_check IS 'Queries that look for suspicious data in the survey''s raw results';
COMMENT ON COLUMN data_check.position IS 'Order, from 1';
COMMENT ON COLUMN data_check.id IS 'Short name, unique in this table';
COMMENT ON COLUMN data_check.looks_for IS 'What the query looks for';
COMMENT ON COLUMN data_check.sql IS 'A SELECT whose rows are what it finds';
COMMENT ON COLUMN data_check.found IS 'Rows it finds, as reviewed';
COMMENT ON COLUMN data_check.note IS 'What the rows are';
COMMENT ON COLUMN data_check.innocent IS 'How they can have come about without anybody''s fault; NULL where there are none';
COMMENT ON COLUMN data_check.evidence IS 'A SELECT of one row whose values are the figures that the texts derive beyond the rows';

CREATE TABLE statement_result (
    statement VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    holds BOOLEAN,
    figures VARCHAR,
    error VARCHAR,
    PRIMARY KEY (statement, position),
    FOREIGN KEY (statement, position) REFERENCES statement_reading (statement, position)
);
COMMENT ON TABLE statement_result IS 'What each reading gave when the database was built';
COMMENT ON COLUMN statement_result.statement IS 'Id of the statement, as in statement.id';
COMMENT ON COLUMN statement_result.position IS 'Position of the reading';
COMMENT ON COLUMN statement_result.holds IS 'Whether the reading holds; NULL when its query failed';
COMMENT ON COLUMN statement_result.figures IS 'The other columns of its row, as a JSON object';
COMMENT ON COLUMN statement_result.error IS 'Why the query failed; NULL when it did not';

CREATE TABLE data_check_result (
    data_check VARCHAR PRIMARY KEY REFERENCES data_check (id),
    found INTEGER,
    rows VARCHAR,
    error VARCHAR
);
COMMENT ON TABLE data_check_result IS 'What each data check found when the database was built';
COMMENT ON COLUMN data_check_result.data_check IS 'Id of the data check, as in data_check.id';
COMMENT ON COLUMN data_check_result.found IS 'Number of rows';
COMMENT ON COLUMN data_check_result.rows IS 'The rows, as a JSON list of objects';
COMMENT ON COLUMN data_check_result.error IS 'Why the query failed; NULL when it did not';
