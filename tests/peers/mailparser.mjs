// Prints, for each .eml file of a folder, what nodemailer's mailparser reads in it: one JSON object.
// usage: node mailparser.mjs FOLDER-OF-MAILPARSER FOLDER-OF-MESSAGES
import { createRequire } from 'node:module';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [packages, messages] = process.argv.slice(2);
const { simpleParser } = createRequire(join(packages, 'x.js'))('mailparser');
const options = { skipImageLinks: true, skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true };
const found = {};
for (const name of readdirSync(messages)) {
  const mail = await simpleParser(readFileSync(join(messages, name)), options);
  found[name] = {
    subject: mail.subject ?? '',
    to: mail.to?.text ?? null,
    from: mail.from?.text ?? null,
    text: mail.text ?? null,
    html: mail.html || null,
    attachments: mail.attachments
      .filter((part) => part.contentDisposition === 'attachment')
      .map((part) => [part.filename, part.contentType, part.content.toString('utf8')]),
  };
}
process.stdout.write(JSON.stringify(found));
