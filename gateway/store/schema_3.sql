-- Version 3 of the schema: Logpush jobs, each one JSON document that is replaced as a whole.

CREATE TABLE logpush_jobs (
    id  INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice: a client may still hold that of a deleted job
    job TEXT NOT NULL
);
