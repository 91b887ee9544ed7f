// A day's work with imapflow.

const assert = require('node:assert');
const { ImapFlow } = require('imapflow');

const BIG = 500;
const FOLDERS = ['Work', 'Work/2026', 'Entwürfe & mehr', 'say "hi" \\ (x) {3} [y]', '日本語 📬', 'per%cent*'];
const ODD = [
    'Subject: no body\r\n\r\n',
    '\r\nno header\r\n',
    'From: undisclosed:;\r\nTo: Team: a@b.test, c@d.test;\r\nDate: yesterday\r\n\r\n.\r\n',
    'Content-Type: multipart/alternative; boundary=never\r\nSubject: (((\r\n\r\nno part\r\n',
    'Content-Type: ""/;;; name*0=a\r\nMessage-ID: <>\r\nReferences: <a <b> c\r\n\r\n{5}\r\n* BYE\r\n'
].map(text => Buffer.from(text)).concat([
    Buffer.from('Subject: raw Gr\xfc\xdfe \xff\r\n\r\n\xfe\xff\r\n', 'latin1')
]);

function client(port, secure, pass = process.env.PASSWORD) {
    return new ImapFlow({
        host: '127.0.0.1', port: Number(port), secure,
        auth: { user: process.env.ANNA, pass },
        tls: { rejectUnauthorized: false },
        logger: false
    });
}

const plain = number =>
    `From: Anna <anna@home.test>\r\nTo: ben@home.test\r\nSubject: Number ${number}\r\n` +
    `Date: ${number % 28 + 1} Nov 2026 10:00:00 +0000\r\nMessage-ID: <${number}@home.test>\r\n\r\n` +
    `This is message ${number}.\r\n`;

async function folders(box) {
    for (const name of FOLDERS) {
        const made = await box.mailboxCreate(name);
        assert.ok(made.created, name);
    }
    const listed = await box.list({ statusQuery: { messages: true, unseen: true } });
    const names = listed.map(folder => folder.path);
    for (const name of FOLDERS.concat(['INBOX'])) {
        assert.ok(names.includes(name), `${name} not in ${names}`);
    }
    for (const use of ['\\Sent', '\\Trash', '\\Junk', '\\Drafts', '\\Archive']) {
        assert.ok(listed.some(folder => folder.specialUse === use), use);
    }
    assert.ok(listed.every(folder => folder.status.messages === 0));
    await box.mailboxRename('日本語 📬', 'renamed');
    await box.mailboxRename('renamed', '日本語 📬');
    await box.mailboxUnsubscribe('Work');
    await box.mailboxSubscribe('Work');
    const quota = await box.getQuota('INBOX');
    assert.ok(quota && quota.path === 'INBOX', JSON.stringify(quota));
}

async function big(box) {
    for (let number = 1; number <= BIG; number++) {
        const made = await box.append('Work', plain(number), number % 2 ? ['\\Seen'] : [], new Date(0));
        assert.strictEqual(made.uid, number);
    }
    const status = await box.status('Work', { messages: true, unseen: true, uidNext: true, highestModseq: true });
    assert.deepStrictEqual([status.messages, status.unseen, status.uidNext], [BIG, BIG / 2, BIG + 1]);
    const lock = await box.getMailboxLock('Work');
    try {
        assert.strictEqual(box.mailbox.exists, BIG);
        let count = 0;
        const wanted = { uid: true, flags: true, size: true, envelope: true, bodyStructure: true, source: true, internalDate: true, headers: ['message-id'] };
        for await (const message of box.fetch('1:*', wanted)) {
            count++;
            assert.strictEqual(message.source.toString(), plain(message.uid));
            assert.strictEqual(message.envelope.subject, `Number ${message.uid}`);
            assert.strictEqual(message.envelope.from[0].name, 'Anna');
            assert.strictEqual(message.bodyStructure.type, 'text/plain');
            assert.strictEqual(message.size, message.source.length);
            assert.ok(message.headers.toString().includes(`<${message.uid}@home.test>`));
            assert.ok(message.modseq > 0n);
        }
        assert.strictEqual(count, BIG);
        assert.strictEqual((await box.search({ subject: 'Number 49' })).length, 11);
        assert.strictEqual((await box.search({ body: 'message 333.' }, { uid: true }))[0], 333);
        assert.strictEqual((await box.search({ seen: false })).length, BIG / 2);
        assert.strictEqual((await box.search({ or: [{ from: 'anna' }, { to: 'nobody' }], larger: 10 })).length, BIG);
        assert.ok(await box.messageFlagsAdd('1:100', ['\\Flagged', '$Label1'], { uid: true }));
        assert.ok(await box.messageFlagsRemove('1:10', ['\\Flagged'], { uid: true }));
        assert.ok(await box.messageFlagsSet('11', ['\\Answered'], { uid: true }));
        const one = await box.fetchOne('11', { flags: true }, { uid: true });
        assert.deepStrictEqual([...one.flags].filter(flag => flag !== '\\Recent'), ['\\Answered']);
        const moved = await box.messageMove('1:100', 'Work/2026', { uid: true });
        assert.strictEqual(moved.uidMap.size, 100);
        const copied = await box.messageCopy('101:150', FOLDERS[2], { uid: true });
        assert.strictEqual(copied.uidMap.get(150), 50);
        assert.ok(await box.messageDelete('101:200', { uid: true }));
        assert.strictEqual((await box.search({ all: true })).length, 300);
        const { content } = await box.download('1', '1');
        let text = '';
        for await (const piece of content) text += piece;
        assert.ok(text.startsWith('This is message '), text);
    } finally {
        lock.release();
    }
}

async function odd(box) {
    for (const name of [FOLDERS[3], FOLDERS[5]]) {
        for (const mail of ODD) await box.append(name, mail);
        const lock = await box.getMailboxLock(name);
        try {
            const got = await box.fetchAll('1:*', { source: true, envelope: true, bodyStructure: true });
            assert.strictEqual(got.length, ODD.length);
            got.forEach((message, at) => assert.ok(message.source.equals(ODD[at]), String(message.source)));
        } finally {
            lock.release();
        }
    }
}

async function idle(box, other) {
    const lock = await box.getMailboxLock('INBOX');
    try {
        const told = new Promise((good, bad) => {
            box.once('exists', good);
            setTimeout(() => bad(new Error('nothing was told')), 20000).unref();
        });
        const idling = box.idle();
        await new Promise(good => setTimeout(good, 300));
        await other.append('INBOX', plain(1));
        assert.strictEqual((await told).count, 1);
        await box.noop();
        await idling;
        assert.ok(await box.messageDelete('1:*'));
    } finally {
        lock.release();
    }
}

async function main() {
    const stranger = client(process.env.PORT, false, 'wrong');
    await assert.rejects(stranger.connect());
    stranger.close();
    const box = client(process.env.TLS_PORT, true);
    const other = client(process.env.PORT, false);
    for (const one of [box, other]) {
        one.on('error', error => { throw error; });
        await one.connect();
    }
    assert.ok(box.serverInfo.name.startsWith('Pillarbox'), JSON.stringify(box.serverInfo));
    await folders(box);
    await big(box);
    await odd(box);
    await idle(box, other);
    for (const name of FOLDERS.slice().reverse()) await other.mailboxDelete(name);
    await other.logout();
    await box.logout();
    console.log('done');
}

main().catch(error => {
    console.error(error);
    process.exit(1);
});
