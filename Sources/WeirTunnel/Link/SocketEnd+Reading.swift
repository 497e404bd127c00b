internal import DequeModule
internal import NIOCore
internal import WeirWires
internal import WeirWorld

/// From the socket to the stream.
extension SocketEnd {
    func read() {
        guard let context, !isReadPending, !hasInputEnded, !isOver else { return }
        let credit = link.credit(of: stream)
        // Without credit, `granted` comes first.
        guard credit > 0 else { return }
        // A window that has grown is given back by halves, seldom in powers of two: reading no more than its rest would
        // make smaller and smaller reads. So up to half of it is read ahead.
        creditMost = max(creditMost, credit)
        allowance.left = creditMost > YamuxHeader.windowFirst ? max(credit, creditMost / 2) : credit
        isReadPending = true
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // When a socket's end has come, NIO reads all that is before it, asked or not.
        if !isReadPending { allowance.left = ReadSize.most }
        let bytes = unwrapInboundIn(data)
        if pending.isEmpty { beginPassage(bytes.readableBytes, at: link.now) }
        pending.append(bytes)
        askLeave()
        // There may be more of the first read, and the two belong together.
        if hasRead { link.hasMore(stream) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadPending = false
        if !hasRead, !pending.isEmpty {
            hasRead = true
            try? context.channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
            link.hasMore(stream)
        }
        if pending.isEmpty { read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        hasInputEnded = true
        meter.finishSent()
        link.hasMore(stream)
        closeIfDone()
    }

    // MARK: The stream

    func accepted() {}

    func granted() { if pending.isEmpty { read() } }

    var hasBytes: Bool { !pending.isEmpty && !isHeldByRate }

    var isDone: Bool { hasInputEnded && pending.isEmpty }

    func next(most: Int) -> ByteBuffer? {
        guard bytesLeft > 0 else {
            end(.byteLimit)
            return nil
        }
        let most = min(most, sending?.left ?? most, Int(clamping: bytesLeft))
        guard let first = pending.first else { return nil }
        if first.readableBytes > most {
            let part = pending[0].readSlice(length: most)
            count(sent: most)
            return part
        }
        pending.removeFirst()
        count(sent: first.readableBytes)
        if pending.isEmpty {
            if context == nil, hasInputEnded { over(nil, byPeer: false) } else { read() }
        }
        return first
    }

    private func count(sent bytes: Int) {
        bytesSent += Int64(bytes)
        meter.sent(bytes)
        if passage.isUnderWay,
            let timed = passage.passed(bytes, at: link.now, way: { link.session.wayNow(at: $0) })
        {
            meter.passed(write: timed.write, drain: timed.drain)
        }
        guard let sending else { return }
        sending.used(bytes)
        askLeave()
    }

    // Of what is pending, at the bandwidth limits.
    private func askLeave() {
        guard let sending, let loop = link.loop, let first = pending.first else { return }
        let leave = sending.leave(for: first.readableBytes, on: loop) { [weak self] in
            guard let self else { return }
            askLeave()
            link.hasMore(stream)
        }
        isHeldByRate = leave == 0
        if isHeldByRate { passage.waits(.rate, at: link.now) }
        meter.waits(.toTarget, .rate, isHeldByRate)
    }

    func waits(_ cause: ConnectorFigures.Cause, _ waits: Bool) {
        switch cause {
        case .credit where waits != isWithoutCredit:
            isWithoutCredit = waits
            if waits { waitsNow(.credit) }
        case .link where waits != isHeldByLink:
            isHeldByLink = waits
            if waits { waitsNow(.link) }
        default: return
        }
        meter.waits(.toTarget, cause, waits)
    }

    private func beginPassage(_ bytes: Int, at now: Moment) {
        guard !passage.isUnderWay, now - passageLast >= Passage.every else { return }
        passageLast = now
        passage.begin(bytes, at: now)
    }

    // What waits is always timed.
    private func waitsNow(_ cause: ConnectorFigures.Cause) {
        let now = link.now
        if !passage.isUnderWay { passage.begin(pending.reduce(0) { $0 + $1.readableBytes }, at: now) }
        passage.waits(cause, at: now)
    }
}
