"""A seller on two packages of PyPI: /poem costs 30 sats by lightning-toll, /weather 21 by l402kit.

Their invoices are those of the lnd that LND_URL, LND_MACAROON (hex) and LND_CERT_FILE name. Usage: seller.py PORT
"""

import base64
import json
import os
import ssl
import sys
import time
from types import SimpleNamespace

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from l402kit.middleware import l402_required
from l402kit.types import Invoice
from lightning_toll import create_toll


async def mint(sats):
    """A payment request of the node's, and its hash in hex."""
    tls = ssl.create_default_context(cafile=os.environ["LND_CERT_FILE"])
    headers = {"Grpc-Metadata-macaroon": os.environ["LND_MACAROON"]}
    async with httpx.AsyncClient(verify=tls) as client:
        answer = await client.post(f"{os.environ['LND_URL']}/v1/invoices", headers=headers, json={"value": str(sats)})
    answer.raise_for_status()
    said = answer.json()
    return said["payment_request"], base64.b64decode(said["r_hash"]).hex()


class TollWallet:
    """What lightning-toll asks of a wallet."""

    async def create_invoice(self, amount_sats, description, expiry):
        invoice, payment_hash = await mint(amount_sats)
        return SimpleNamespace(invoice=invoice, payment_hash=payment_hash)


class KitProvider:
    """What l402kit asks of a provider; the token is the one that its own providers make."""

    async def create_invoice(self, amount_sats):
        invoice, payment_hash = await mint(amount_sats)
        until = int(time.time()) + 3600
        token = base64.b64encode(json.dumps({"hash": payment_hash, "exp": until * 1000}).encode()).decode()
        return Invoice(invoice, payment_hash, token, amount_sats, until)


app = FastAPI()
toll = create_toll(wallet=TollWallet(), secret="a secret of the test's")


@app.post("/poem")
@toll.require(sats=30)
async def poem(request: Request):
    asked = await request.json()
    return {"choices": [{"message": {"content": f"A poem about {asked['messages'][0]['content']}"}}]}


@app.get("/weather")
@l402_required(price_sats=21, lightning=KitProvider())
async def weather(request: Request):
    return PlainTextResponse(f"Fair weather in {request.query_params['place']}\n")


@app.get("/up")
async def up():
    return {}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
