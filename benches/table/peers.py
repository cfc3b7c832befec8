"""Buys videos of the sandbox with another client: peers.py CLIENT API_URL NODE_URL MACAROON_FILE CERT_FILE JOBS IN_FLIGHT"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

NAME, API, NODE, MACAROON_FILE, CERT_FILE, JOBS, IN_FLIGHT = sys.argv[1:]
URL = f"{API.rstrip('/')}/api/l402/generate-video"
with open(MACAROON_FILE, "rb") as file:
    MACAROON = file.read().hex()


def l402sdk(body):
    """Reads the node's certificate from SSL_CERT_FILE."""
    from l402 import L402Client

    response = L402Client.with_lnd_rest(NODE.rstrip("/"), MACAROON).post(URL, json.dumps(body))
    return response.status, response.text()


def l402_requests(body):
    """Its wallet for lnd takes the preimage for base64, where lnd gives hex: with it nothing that is paid for can be redeemed."""
    import base64

    from l402_requests import L402Client
    from l402_requests.wallets.lnd import LndWallet

    class Wallet(LndWallet):
        async def pay_invoice(self, bolt11):
            misread = await super().pay_invoice(bolt11)
            return base64.b64encode(bytes.fromhex(misread)).decode()

    client = L402Client(wallet=Wallet(NODE.rstrip("/"), MACAROON, CERT_FILE), budget=None)
    response = client.post(URL, json=body)
    return response.status_code, response.text


# Each job has a client of its own: both show what they bought last once more, which buys nothing here.
BUY = {"l402sdk": l402sdk, "l402-requests": l402_requests}[NAME]


def job(number):
    status, text = BUY({"prompt": f"kite {number}", "duration": 3, "mode": "standard"})
    if status != 200 or "videoUrl" not in text:
        sys.exit(f"job {number}: {status}")


with ThreadPoolExecutor(int(IN_FLIGHT)) as threads:
    list(threads.map(job, range(int(JOBS))))
