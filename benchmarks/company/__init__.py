"""A simulated company: who asks for what, and a cluster on which the real planner and policy serve them.
Never talks to a broker, a database or a cluster."""
