internal import Logging
internal import NIOCore
internal import WeirWires
internal import WeirWorld

/// The messages of a connection on their way to the platform.
extension AMQPHandler {
    func pump() {
        guard pumping == nil, !jobs.isEmpty, let loop else { return }
        let batch = jobs
        jobs = []
        waitsSince = now
        let bound = NIOLoopBound(self, eventLoop: loop)
        let pump = AMQPPump(platform: platform, keys: keys, connector: session.connector)
        // Owned by this connection, one at a time, cancelled when its client has gone; `AMQPSessions` waits for it.
        pumping = Task { [receptions] in
            var receptions = receptions
            for job in batch {
                let isPointless = Task.isCancelled && !job.outlivesClient
                let outcome = isPointless ? .none : await pump.run(job, &receptions)
                loop.execute { bound.value.did(job, outcome) }
            }
            loop.execute { [receptions] in bound.value.pumped(receptions) }
        }
    }

    private func did(_ job: AMQPPump.Job, _ outcome: AMQPPump.Outcome) {
        give(job.byteCount)
        waitsSince = now
        switch outcome {
        case .none: break
        case .authenticated(let isKnown): authenticated(isKnown)
        case .counted(let messages, let channel, let epoch, let queue):
            perform(session.counted(messages, channel: channel, epoch: epoch, queue: queue))
        case .settled(let id, let failure):
            sessions.count { counts in
                counts.taken += failure == nil ? 1 : 0
                counts.notTaken += failure == nil ? 0 : 1
                counts.takenBytes += failure == nil ? job.byteCount : 0
            }
            if let failure, failure.code != .unknownConnector {
                log.warning(
                    "a published bundle was not taken; its connector is told to send it again",
                    metadata: ["connector": "\(session.connector)", "error": "\(failure)"])
            }
            perform(session.released() + session.settled(id, failure))
        }
    }

    private func authenticated(_ isKnown: Bool) {
        let login: AMQPSession.Login =
            !isKnown ? .unknown : sessions.name(ObjectIdentifier(self), session.connector) ? .welcome : .tooMany
        if login != .welcome { sessions.count { $0.loginsRefused += 1 } }
        perform(session.authenticated(login, at: now))
        parse()
        context?.flush()
        read()
    }

    private func pumped(_ receptions: [AMQPPublishID: any BundleReception]) {
        self.receptions = receptions
        pumping = nil
        // Nobody will finish these any more.
        if context == nil, jobs.isEmpty { jobs = receptions.keys.map { .abandon($0) } }
        waitsSince = nil
        perform(session.released())
        pump()
        if let stopping, pumping == nil { perform(session.stop(stopping.text, at: now)) }
        leaveIfDone()
        read()
    }

    func leaveIfDone() {
        guard context == nil, pumping == nil, jobs.isEmpty, !hasLeft else { return }
        hasLeft = true
        sessions.leave(ObjectIdentifier(self))
    }

    func take(_ bytes: Int) {
        heldBytes += bytes
        sessions.take(bytes)
    }

    func give(_ bytes: Int) {
        heldBytes -= bytes
        sessions.give(bytes)
    }
}
