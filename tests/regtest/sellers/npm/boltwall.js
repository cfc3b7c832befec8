// A seller on boltwall: whatever is posted to /caption costs 25 sats. Its invoices are those of the lnd that LND_SOCKET, LND_MACAROON and
// LND_TLS_CERT name. Usage: node boltwall.js PORT
const path = require('path')
const modules = name => require(path.join(process.cwd(), 'node_modules', name))

const express = modules('express')
const { boltwall } = modules('boltwall')

const port = Number(process.argv[2])
const app = express()
app.use(modules('body-parser').json())
app.use(boltwall({ minAmount: 25 }))
app.post('/caption', (request, response) => {
  response.json({ caption: { text: `A caption for ${request.body.input.prompt}` } })
})
app.listen(port, '127.0.0.1', () => console.log('sells'))
