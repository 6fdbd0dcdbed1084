"""Databases by TLS: who asks for it in the address talks to the server whose certificate is good, or to nobody."""
import pytest
from alert_rig import certificate
from mariadb import Mariadb
from mart_rig import run_mart
from postgres import Postgres

OPTIONS = {Postgres: "sslmode=verify-full&sslrootcert=", Mariadb: "ssl_ca="}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(certificate, key) of 127.0.0.1, by that name alone."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module", params=[Postgres, Mariadb], ids=["postgresql", "mariadb"])
def server(request, pair):
    made = request.param(tls=pair)
    yield made
    made.stop()


def connect(address, code):
    """What till mart says when it does nothing but connect."""
    done = run_mart(None, address, "--history", code=code)
    return done.stdout + done.stderr


def address_of(server, host="127.0.0.1"):
    user = "postgres" if isinstance(server, Postgres) else "till"
    scheme = "postgresql" if isinstance(server, Postgres) else "mysql"
    return f"{scheme}://{user}@{host}:{server.port}/{'postgres' if isinstance(server, Postgres) else 'mysql'}?{OPTIONS[type(server)]}"


def test_a_server_with_the_certificate_is_talked_to(server, pair):
    assert "outcome" in connect(address_of(server) + pair[0], 0)


def test_a_server_that_somebody_else_vouches_for_is_not(server, tmp_path):
    assert "certificate verify failed" in connect(address_of(server) + certificate(tmp_path)[0], 3)


def test_a_certificate_of_another_name_is_none(server, pair):
    """It is of 127.0.0.1, and was asked for as localhost."""
    words = connect(address_of(server, "localhost") + pair[0], 3)
    assert "localhost" in words
    assert "match" in words


def test_a_server_without_tls_is_not_talked_to(request, pair):
    for name, code in (("postgres", 3), ("mariadb", 1)):
        words = connect(address_of(request.getfixturevalue(name)) + pair[0], code)
        assert "SSL" in words
        assert "support" in words
