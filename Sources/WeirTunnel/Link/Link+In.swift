internal import NIOCore
internal import WeirWires

/// What comes in: frames, and payload for the ends of their streams.
extension Link {
    func parse(_ bytes: inout ByteBuffer) throws(LinkEnd) {
        let now = now
        while end == nil {
            if let coming = payload {
                guard bytes.readableBytes > 0 else { return }
                let amount = min(coming.left, bytes.readableBytes)
                deliver(bytes.readSlice(length: amount), of: coming.frame)
                if amount < coming.left {
                    payload = (coming.frame, coming.left - amount)
                    return
                }
                payload = nil
                finish(coming.frame)
                continue
            }
            guard let header = try header(&bytes) else { return }
            let frame: Session.Received
            do throws(Session.SessionFault) {
                frame = try session.received(header, at: now)
            } catch {
                throw .mistake("\(error)")
            }
            begin(frame)
            if frame.payload > 0 { payload = (frame, frame.payload) } else { finish(frame) }
        }
    }

    // A header may lie in two reads.
    private func header(_ bytes: inout ByteBuffer) throws(LinkEnd) -> YamuxHeader? {
        do throws(YamuxMistake) {
            guard partial.readableBytes > 0 else {
                if let header = try YamuxHeader(from: &bytes) { return header }
                partial.writeBuffer(&bytes)
                return nil
            }
            if var rest = bytes.readSlice(
                length: min(YamuxHeader.byteCount - partial.readableBytes, bytes.readableBytes))
            {
                partial.writeBuffer(&rest)
            }
            guard let header = try YamuxHeader(from: &partial) else { return nil }
            partial.clear()
            return header
        } catch {
            throw .mistake("\(error)")
        }
    }

    private func begin(_ frame: Session.Received) {
        if frame.isOpened { owner?.opened(frame.stream, on: self) }
        if frame.isAccepted { lanes[frame.stream]?.end.accepted() }
        if frame.hasCredit, let lane = lanes[frame.stream] {
            lane.end.granted()
            enqueue(lane)
        }
        if frame.goAway != nil { owner?.peerDrains(self) }
        if let reason = frame.reset { forget(frame.stream)?.reset(reason) }
    }

    private func deliver(_ bytes: ByteBuffer?, of frame: Session.Received) {
        guard let bytes, !frame.isDiscarded else { return }
        guard let end = lanes[frame.stream]?.end else {
            // Reset by us in this very turn.
            return session.taken(bytes.readableBytes, of: frame.stream, at: now)
        }
        if touched.last !== end { touched.append(end) }
        end.received(bytes)
    }

    private func finish(_ frame: Session.Received) {
        guard frame.isFinished, let end = lanes[frame.stream]?.end else { return }
        if touched.last === end { end.receivedAll() }
        end.finished()
        forgetIfDone(frame.stream)
    }
}
