// nodemailer logs in and sends.
const { readFileSync } = require('fs');
const nodemailer = require('nodemailer');

const { ANNA, BEN, FAR, PASSWORD, PORT, SECURE, CERTIFICATE } = process.env;
const transport = nodemailer.createTransport({
  host: 'localhost',
  port: Number(PORT),
  secure: SECURE === 'true',
  requireTLS: true,
  auth: { user: ANNA, pass: PASSWORD },
  tls: { ca: readFileSync(CERTIFICATE) },
});
transport
  .sendMail({ from: `Anna <${ANNA}>`, to: BEN, bcc: FAR, subject: 'Nodemailer', text: 'Grüße' })
  .then((sent) => console.log(sent.response))
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
