# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say how to reach Vault."""

from __future__ import annotations


class ModuleDocFragment:
    """Ansible finds the fragment by this name."""

    DOCUMENTATION = r"""
notes:
  - Each option of the connection can also come from the environment of the host that the plugin runs on. Our own
    variable C(VAULTFLEET_AWS_NAME) comes first, then OpenBao's, then Vault's, then that of community.hashi_vault.
    E(VAULT_TOKEN) and C(~/.vault-token) are never read.
options:
  url:
    description:
      - Address of the Vault or OpenBao server, such as V(https://vault.example.org:8200).
      - Also from E(BAO_ADDR), E(VAULT_ADDR) or E(ANSIBLE_HASHI_VAULT_ADDR). One of them is needed.
    type: str
  namespace:
    description:
      - Namespace that the auth method is in.
      - Also from E(BAO_NAMESPACE), E(VAULT_NAMESPACE) or E(ANSIBLE_HASHI_VAULT_NAMESPACE).
    type: str
  ca_cert:
    description:
      - PEM file of the CA certificates that the server's certificate is checked with. Without it and O(ca_path), the
        system's store is used.
      - Also from E(BAO_CACERT), E(VAULT_CACERT) or E(ANSIBLE_HASHI_VAULT_CA_CERT).
    type: path
    aliases: [cacert]
  ca_path:
    description:
      - Directory of hashed CA certificates (see C(openssl rehash)).
      - Also from E(BAO_CAPATH) or E(VAULT_CAPATH).
    type: path
  client_cert:
    description:
      - PEM file of a TLS client certificate, with its key if O(client_key) is not given.
      - Also from E(BAO_CLIENT_CERT) or E(VAULT_CLIENT_CERT).
    type: path
  client_key:
    description:
      - PEM file of the key for O(client_cert), without a passphrase.
      - Also from E(BAO_CLIENT_KEY) or E(VAULT_CLIENT_KEY).
    type: path
  validate_certs:
    description:
      - Whether the server's certificate is checked. Without that anybody on the way can take the token.
      - Also from E(ANSIBLE_HASHI_VAULT_VALIDATE_CERTS), or the opposite of E(BAO_SKIP_VERIFY) or E(VAULT_SKIP_VERIFY),
        which gives a warning.
    type: bool
    default: true
  tls_server_name:
    description:
      - Name that the server's certificate is for, where it is not the host of O(url).
      - Also from E(BAO_TLS_SERVER_NAME) or E(VAULT_TLS_SERVER_NAME).
    type: str
  timeout:
    description:
      - Deadline over all attempts of one operation, in seconds or as a duration such as V(1m).
      - Also from E(BAO_CLIENT_TIMEOUT), E(VAULT_CLIENT_TIMEOUT) or E(ANSIBLE_HASHI_VAULT_TIMEOUT).
    type: str
    default: 30s
  retries:
    description:
      - How often an attempt is made again after a passing fault (connection, HTTP 412, 429, 5xx), with growing, random
        pauses, or those that the server asks for.
      - Also from E(BAO_MAX_RETRIES) or E(VAULT_MAX_RETRIES).
    type: int
    default: 3
  proxies:
    description:
      - URL of a proxy, or a dictionary of V(http) and V(https) to such URLs. Without it, E(HTTPS_PROXY), E(HTTP_PROXY)
        and E(NO_PROXY) count. Link-local addresses are never asked through a proxy.
      - Also from E(BAO_PROXY_ADDR), E(VAULT_PROXY_ADDR) or E(ANSIBLE_HASHI_VAULT_PROXIES).
    type: raw
"""

    # Where a lookup finds the options, beside its keywords. Of several names that are set, Ansible takes the last.
    PLUGINS = r"""
options:
  url:
    vars:
      - name: ansible_hashi_vault_url
      - name: ansible_hashi_vault_addr
      - name: vaultfleet_aws_url
    ini:
      - section: vaultfleet_aws
        key: url
    env:
      - name: ANSIBLE_HASHI_VAULT_ADDR
      - name: VAULT_ADDR
      - name: BAO_ADDR
      - name: VAULTFLEET_AWS_URL
  namespace:
    vars:
      - name: ansible_hashi_vault_namespace
      - name: vaultfleet_aws_namespace
    ini:
      - section: vaultfleet_aws
        key: namespace
    env:
      - name: ANSIBLE_HASHI_VAULT_NAMESPACE
      - name: VAULT_NAMESPACE
      - name: BAO_NAMESPACE
      - name: VAULTFLEET_AWS_NAMESPACE
  ca_cert:
    vars:
      - name: ansible_hashi_vault_ca_cert
      - name: vaultfleet_aws_ca_cert
    ini:
      - section: vaultfleet_aws
        key: ca_cert
    env:
      - name: ANSIBLE_HASHI_VAULT_CA_CERT
      - name: VAULT_CACERT
      - name: BAO_CACERT
      - name: VAULTFLEET_AWS_CA_CERT
  ca_path:
    vars:
      - name: vaultfleet_aws_ca_path
    ini:
      - section: vaultfleet_aws
        key: ca_path
    env:
      - name: VAULT_CAPATH
      - name: BAO_CAPATH
      - name: VAULTFLEET_AWS_CA_PATH
  client_cert:
    vars:
      - name: vaultfleet_aws_client_cert
    ini:
      - section: vaultfleet_aws
        key: client_cert
    env:
      - name: VAULT_CLIENT_CERT
      - name: BAO_CLIENT_CERT
      - name: VAULTFLEET_AWS_CLIENT_CERT
  client_key:
    vars:
      - name: vaultfleet_aws_client_key
    ini:
      - section: vaultfleet_aws
        key: client_key
    env:
      - name: VAULT_CLIENT_KEY
      - name: BAO_CLIENT_KEY
      - name: VAULTFLEET_AWS_CLIENT_KEY
  validate_certs:
    vars:
      - name: ansible_hashi_vault_validate_certs
      - name: vaultfleet_aws_validate_certs
    ini:
      - section: vaultfleet_aws
        key: validate_certs
    env:
      - name: ANSIBLE_HASHI_VAULT_VALIDATE_CERTS
      - name: VAULTFLEET_AWS_VALIDATE_CERTS
  tls_server_name:
    vars:
      - name: vaultfleet_aws_tls_server_name
    ini:
      - section: vaultfleet_aws
        key: tls_server_name
    env:
      - name: VAULT_TLS_SERVER_NAME
      - name: BAO_TLS_SERVER_NAME
      - name: VAULTFLEET_AWS_TLS_SERVER_NAME
  timeout:
    vars:
      - name: ansible_hashi_vault_timeout
      - name: vaultfleet_aws_timeout
    ini:
      - section: vaultfleet_aws
        key: timeout
    env:
      - name: ANSIBLE_HASHI_VAULT_TIMEOUT
      - name: VAULT_CLIENT_TIMEOUT
      - name: BAO_CLIENT_TIMEOUT
      - name: VAULTFLEET_AWS_TIMEOUT
  retries:
    vars:
      - name: vaultfleet_aws_retries
    ini:
      - section: vaultfleet_aws
        key: retries
    env:
      - name: VAULT_MAX_RETRIES
      - name: BAO_MAX_RETRIES
      - name: VAULTFLEET_AWS_RETRIES
  proxies:
    vars:
      - name: ansible_hashi_vault_proxies
      - name: vaultfleet_aws_proxies
    ini:
      - section: vaultfleet_aws
        key: proxies
    env:
      - name: ANSIBLE_HASHI_VAULT_PROXIES
      - name: VAULT_PROXY_ADDR
      - name: BAO_PROXY_ADDR
      - name: VAULTFLEET_AWS_PROXIES
"""
