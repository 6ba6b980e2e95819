"""Submissions that try to send data. The only listener is a canary of the test's own, on loopback."""

# %% tcp
import socket

for address in (("127.0.0.1", PORT), ("::1", PORT), ("localhost", PORT)):
    try:
        socket.create_connection(address, 1).send(b"SECRET")
        print("SEEN a connection")
    except OSError as error:
        print(error)

# %% udp
import socket

socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"SECRET", ("127.0.0.1", PORT))
print("SEEN a datagram")

# %% raw_and_netlink
import socket

for family, kind in ((socket.AF_INET, socket.SOCK_RAW), (socket.AF_NETLINK, socket.SOCK_RAW), (socket.AF_PACKET, 3)):
    try:
        socket.socket(family, kind)
        print("SEEN a socket", family)
    except OSError as error:
        print(error)

# %% listen
import socket

server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
print("SEEN a server")

# %% unix
import socket

for path in ("\0canary", "/run/docker.sock", "/run/dbus/system_bus_socket", "COURSE/canary.sock"):
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print("SEEN", repr(path))
    except OSError as error:
        print(error)

# %% descriptors_handed_over
import socket

left, right = socket.socketpair()
socket.send_fds(left, [b"x"], [0])
print("SEEN a descriptor on its way")

# %% a_library_that_downloads
import urllib.request

print("SEEN", urllib.request.urlopen("http://127.0.0.1:PORT/", timeout=1).read())

# %% a_name_looked_up
import socket

print("SEEN", socket.getaddrinfo("localhost.canary.invalid", 80))
