"""Runs jobs on a Kubernetes cluster whose quota Kueue holds: one suspended Job for each run.
Never imports the Kubernetes client before a backend is started; pods never import it."""
