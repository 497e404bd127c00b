internal import DequeModule
internal import NIOCore
internal import WeirWires
internal import WeirWorld

/// What goes out: the session's frames first, then data of the streams that are ready, in turn.
extension Link {
    func enqueue(_ lane: Lane) {
        guard !lane.isReady else { return }
        lane.isReady = true
        ready.append(lane)
    }

    /// Sends what may be sent now.
    func pump() {
        guard !isPumping, let context, end == nil else { return }
        isPumping = true
        // What the kernel takes at once makes the channel writable again, within the flush: so it is looked at anew.
        while !session.control.isEmpty || (!ready.isEmpty && context.channel.isWritable) {
            let gathers = !ready.isEmpty && context.channel.isWritable
            outgoing = context.channel.allocator.buffer(
                capacity: gathers ? Self.gatherMost + Self.restMost : session.control.count * YamuxHeader.byteCount)
            writeControl()
            if gathers { gather() }
            let bytes = outgoing
            outgoing = ByteBuffer()
            if bytes.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }
        }
        // Left over only while the channel takes no more.
        while heldByLink < ready.count {
            ready[heldByLink].end.waits(.link, true)
            heldByLink += 1
        }
        isPumping = false
        closeIfDrained()
    }

    private func writeControl() { for frame in session.takeControl() { frame.write(to: &outgoing) } }

    private func gather() {
        let now = now
        for lane in ready.prefix(heldByLink) { lane.end.waits(.link, false) }
        heldByLink = 0
        let frameMost = session.settings.frameMost
        while outgoing.readableBytes < Self.gatherMost, let lane = ready.popFirst() {
            guard lane.isReady else { continue }
            // One frame each. Whoever is alone has all turns, and takes its last few bytes along.
            let turns = (Self.gatherMost - outgoing.readableBytes) / (frameMost + YamuxHeader.byteCount)
            send(lane, ready.isEmpty ? max(1, turns) * frameMost + Self.restMost : frameMost, at: now)
            settle(lane)
        }
    }

    private func send(_ lane: Lane, _ most: Int, at now: Moment) {
        guard lane.end.hasBytes else { return }
        let frameMost = session.settings.frameMost
        var left = session.take(most, of: lane.id, at: now)
        while left > 0, lane.end.hasBytes, var bytes = lane.end.next(most: min(left, frameMost)) {
            left -= bytes.readableBytes
            YamuxHeader(.data, stream: lane.id, length: UInt32(bytes.readableBytes)).write(to: &outgoing)
            outgoing.writeBuffer(&bytes)
        }
        guard left > 0 else { return }
        // What was taken and is not needed stays with the stream, which has looked in vain for credit meanwhile.
        session.giveBack(left, of: lane.id)
        if lane.isReady { lane.end.granted() }
    }

    // Where a stream goes after its turn: back in line, asleep until it has bytes or credit, or finished.
    private func settle(_ lane: Lane) {
        guard lane.isReady else { return }
        if lane.end.hasBytes {
            let hasCredit = session.credit(of: lane.id) > 0
            lane.end.waits(.credit, !hasCredit)
            lane.isReady = hasCredit
            if hasCredit { ready.append(lane) } else { session.probe(at: now) }
            return
        }
        lane.isReady = false
        lane.end.waits(.credit, false)
        guard lane.end.isDone else { return }
        session.finish(lane.id, at: now)
        writeControl()
        forgetIfDone(lane.id)
    }
}
