-- Version 2 of the schema: what uploads bring.

ALTER TABLE versions ADD COLUMN triggered_by TEXT NOT NULL DEFAULT 'config';
ALTER TABLE versions ADD COLUMN alias TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN migration_tag TEXT NOT NULL DEFAULT '';   -- the Worker's, at the time of the upload

-- What belongs to a Worker rather than to a version, as one JSON document that is replaced as a whole.
CREATE TABLE workers (
    name  TEXT PRIMARY KEY,
    state TEXT NOT NULL
);
