"""The process that runs a submission. It knows no test, no reference and no path of the course.

`zygote` (trusted) forks one `warden` per submission (trusted, watches and kills); the warden forks the session,
which runs the notebook once (`notebook`) and then forks itself for every check (`rpc_server`). Imports only `sockets`
and `wire`.
"""
