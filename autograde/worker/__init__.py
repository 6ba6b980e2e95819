"""The process that runs a submission. It knows no test, no reference and no path of the course.

`zygote` (trusted) forks one `warden` per submission (trusted; it watches and kills). The warden forks the session. It
runs the notebook once (`notebook`) and then forks itself for every check (`rpc_server`). Imports only `sockets`
and `wire`.
"""
