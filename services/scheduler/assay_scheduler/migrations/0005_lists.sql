-- Lists of one owner's experiments, or of those that failed, read all that were ever asked for; of jobs that did not
-- succeed likewise. The last index also serves what looks at jobs that have not ended.
CREATE INDEX experiments_by_owner ON experiments (owner, requested_at DESC, id DESC);
CREATE INDEX experiments_by_end ON experiments (coalesce(outcome, status), requested_at DESC, id DESC);
CREATE INDEX jobs_not_succeeded ON jobs (status, created_at DESC, key DESC) WHERE status <> 'succeeded';
DROP INDEX jobs_open;
