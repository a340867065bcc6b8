-- A role for each service that has tables, each with a schema of its own and nothing else. Run once, as a
-- superuser, on the database that Assay shall use; a second run changes the passwords only:
--
--   psql "$SUPERUSER_URL" -v ON_ERROR_STOP=1 -v scheduler_password=… -v reporter_password=… -f deploy/postgres/roles.sql
--
-- Then each service has a URL of its own: postgresql://assay_scheduler:…@host/assay for the scheduler,
-- postgresql://assay_reporter:…@host/assay for the reporter. Trainer and evaluator need none.
BEGIN;

SELECT format('CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT', name)
  FROM unnest(ARRAY['assay_scheduler', 'assay_reporter']) AS role (name)
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
ALTER ROLE assay_scheduler LOGIN PASSWORD :'scheduler_password' CONNECTION LIMIT 100;
ALTER ROLE assay_reporter LOGIN PASSWORD :'reporter_password' CONNECTION LIMIT 100;

-- Nobody else connects, and nobody makes schemas, temporary tables or anything in `public`.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO assay_scheduler, assay_reporter;

-- A schema that a service made before, under another role, goes over to its own with all that is in it.
SELECT format('CREATE SCHEMA %I', name) FROM unnest(ARRAY['scheduler', 'reporter']) AS own (name)
 WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = name)
\gexec
SELECT format('ALTER SCHEMA %I OWNER TO %I', name, 'assay_' || name)
  FROM unnest(ARRAY['scheduler', 'reporter']) AS own (name)
\gexec
SELECT format('ALTER TABLE %I.%I OWNER TO %I', schemaname, tablename, 'assay_' || schemaname)
  FROM pg_tables WHERE schemaname IN ('scheduler', 'reporter')
\gexec
REVOKE ALL ON SCHEMA scheduler, reporter FROM PUBLIC;

COMMIT;
