internal import DequeModule
internal import NIOCore
internal import WeirWorld

/// From the stream to the socket.
extension SocketEnd: StreamEnd {
    func received(_ bytes: ByteBuffer) {
        guard !isOver else { return link.taken(bytes.readableBytes, of: stream) }
        guard Int64(bytes.readableBytes) <= bytesLeft else { return end(.byteLimit) }
        bytesReceived += Int64(bytes.readableBytes)
        guard let context else { return early.append(bytes) }
        pass(bytes, context)
    }

    func writeEarly(_ context: ChannelHandlerContext) {
        let early = early
        self.early = []
        for bytes in early { pass(bytes, context) }
        receivedAll()
        finishIfWritten()
    }

    private func pass(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard receiving != nil else { return gather(bytes, context) }
        held.append(bytes)
        heldBytes += bytes.readableBytes
        release(context)
    }

    // What the bandwidth limits let through.
    private func release(_ context: ChannelHandlerContext) {
        guard let receiving else { return }
        while var bytes = held.popFirst() {
            let amount = receiving.leave(for: bytes.readableBytes, on: context.eventLoop) { [weak self] in
                guard let self, let context = self.context else { return }
                release(context)
                receivedAll()
            }
            if amount > 0, let part = bytes.readSlice(length: amount) {
                receiving.used(amount)
                heldBytes -= amount
                gather(part, context)
            }
            if bytes.readableBytes > 0 { held.prepend(bytes) }
            guard amount > 0 else { break }
        }
        meter.waits(.toClient, .rate, !held.isEmpty)
    }

    // What a limit holds is not the receiver's queue: it is as good as not come.
    private func tellRoom() { meter.room(link.room(of: stream) + heldBytes) }

    private func gather(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        meter.received(bytes.readableBytes)
        if let before = last { context.write(wrapOutboundOut(before), promise: nil) }
        last = bytes
        gathered += bytes.readableBytes
    }

    func receivedAll() {
        guard let context, let bytes = last else { return }
        let amount = gathered
        last = nil
        gathered = 0
        unwritten += amount
        tellRoom()
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { result in self.wrote(amount, result) }
        let arrived = link.arrived
        let began = arrived.flatMap { $0 - writeLast >= Passage.every ? link.now : nil }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: written)
        // Mostly the kernel has taken it by now.
        guard unwritten > 0 else {
            guard let arrived, let began else { return }
            writeLast = arrived
            return meter.passed(write: began - arrived, drain: link.now - began)
        }
        if slowWrite == nil {
            let now = link.now
            slowWrite = (now, arrived.map { now - $0 } ?? .zero, unwritten)
        }
        guard !isReceiverSlow else { return }
        isReceiverSlow = true
        meter.waits(.toClient, .receiver, true)
    }

    private func wrote(_ amount: Int, _ result: Result<Void, any Error>) {
        unwritten -= amount
        if unwritten == 0, isReceiverSlow {
            isReceiverSlow = false
            meter.waits(.toClient, .receiver, false)
        }
        switch result {
        case .success:
            meter.drained(amount)
            if let (began, write, left) = slowWrite {
                slowWrite = left > amount ? (began, write, left - amount) : nil
                if slowWrite == nil { meter.passed(write: write, drain: link.now - began) }
            }
            link.taken(amount, of: stream)
            tellRoom()
            finishIfWritten()
        case .failure:
            hasFailed = true
            link.taken(amount, of: stream)
        }
    }

    func finished() {
        meter.finishReceived()
        isFinishing = true
        finishIfWritten()
    }

    private func finishIfWritten() {
        guard isFinishing, !hasOutputEnded, unwritten == 0, last == nil, held.isEmpty, let context else { return }
        hasOutputEnded = true
        if hasInputEnded, pending.isEmpty { return closeIfDone() }
        context.close(mode: .output, promise: nil)
    }
}
