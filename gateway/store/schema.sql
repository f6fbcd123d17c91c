-- Version 1 of the schema. A later version comes as a forward migration in sqlite.py; this file is never edited to
-- mean something else.

CREATE TABLE versions (
    id         TEXT PRIMARY KEY,
    worker     TEXT NOT NULL,
    number     INTEGER NOT NULL,      -- position among the Worker's uploads, from 1
    tag        TEXT NOT NULL,
    message    TEXT NOT NULL,
    source     TEXT NOT NULL,
    author     TEXT NOT NULL,
    created_on TEXT NOT NULL,         -- ISO 8601, UTC
    runtime    TEXT NOT NULL,         -- JSON: how it is run
    UNIQUE (worker, number)
);

CREATE TABLE deployments (
    id           TEXT PRIMARY KEY,
    worker       TEXT NOT NULL,
    number       INTEGER NOT NULL,    -- position among the Worker's deployments, from 1; the highest is active
    created_on   TEXT NOT NULL,
    source       TEXT NOT NULL,
    author       TEXT NOT NULL,
    message      TEXT NOT NULL,
    triggered_by TEXT NOT NULL,
    versions     TEXT NOT NULL,       -- JSON: [[version id, percentage], ...] in listed order
    cohorts      TEXT NOT NULL,       -- JSON: [[name, [[version id, percentage], ...]], ...]
    code_update  TEXT NOT NULL,       -- JSON: [mode, max_delay_seconds]
    UNIQUE (worker, number)
);

CREATE TABLE classes (
    key    INTEGER PRIMARY KEY,
    worker TEXT NOT NULL,
    class  TEXT NOT NULL,
    UNIQUE (worker, class)
);

-- One row an object. Versions and deployments stand as their numbers: a million rows stay small.
CREATE TABLE objects (
    class            INTEGER NOT NULL REFERENCES classes (key),
    id               BLOB NOT NULL,
    name             TEXT,
    first_version    INTEGER NOT NULL,
    first_deployment INTEGER NOT NULL,
    version          INTEGER NOT NULL,   -- assigned
    deployment       INTEGER NOT NULL,   -- that assigned it
    running          INTEGER NOT NULL,   -- version it ran last
    resets           INTEGER NOT NULL,
    first_used       REAL NOT NULL,      -- seconds since the epoch
    last_used        REAL NOT NULL,
    PRIMARY KEY (class, id)
) WITHOUT ROWID;

CREATE INDEX objects_by_name ON objects (class, name);

-- Every change of an object's assigned version after the first assignment.
CREATE TABLE moves (
    class        INTEGER NOT NULL REFERENCES classes (key),
    id           BLOB NOT NULL,
    deployment   INTEGER NOT NULL,       -- in force when it moved
    from_version INTEGER NOT NULL,
    to_version   INTEGER NOT NULL,
    at           REAL NOT NULL,
    cause        TEXT NOT NULL           -- deployment, pinned or unpinned
);

CREATE INDEX moves_by_object ON moves (class, id);

CREATE TABLE pins (
    class            INTEGER NOT NULL REFERENCES classes (key),
    id               BLOB NOT NULL,
    version          INTEGER NOT NULL,
    since_deployment INTEGER NOT NULL,
    until_deployment INTEGER,            -- NULL while it holds
    at               REAL NOT NULL
);

CREATE INDEX pins_by_object ON pins (class, id);

CREATE TABLE notes (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
