import WeirFlow
import WeirGates
import WeirNode
import WeirWorld

/// What moves on the pages, by the id of its element: its text, and the attributes that follow the state. No HTML
/// travels: the browser sets text and attributes, so nothing that was received can become markup.
struct LiveCells: Sendable {
    struct Cell: Encodable, Sendable, Hashable {
        /// Text.
        var t: String?
        /// Attributes.
        var a: [String: String]?
    }

    /// One message to a page.
    struct Patch: Encodable, Sendable {
        var structure: String
        /// Rows of the table, most pressed first; only when that has changed.
        var order: [String]?
        var cells: [String: Cell]
    }

    let structure: String
    let order: [String]
    private(set) var cells: [String: Cell] = [:]

    init(_ seen: Snapshot) {
        structure = seen.structure
        let pressed = seen.mostPressedFirst
        order = pressed.map { "row:\($0.id)" }
        for tile in Tiles(seen).all { cells["tile:\(tile.key)"] = Cell(t: tile.value) }
        for reading in pressed { add(reading, seen) }
        for source in seen.sources {
            let name = source.reading.name
            cells["srate:\(name)"] = Cell(t: FlowGraph.sourceText(name, seen))
        }
        let connectors = FlowGraph.connectors
        if seen.gates.contains(where: { FlowGraph.senders(of: $0).contains(connectors) }) {
            cells["srate:\(connectors)"] = Cell(t: FlowGraph.sourceText(connectors, seen))
        }
        for orphan in seen.orphans { cells["orphan:\(orphan.name)"] = Cell(t: OrphanPanel.holds(orphan, at: seen.at)) }
        for receiver in Set(seen.gates.filter({ $0.kind != .connector }).map(\.receiver)) {
            cells["rmeta:\(receiver)"] = Cell(t: FlowGraph.receiverText(receiver, seen))
        }
    }

    private mutating func add(_ reading: GateReading, _ seen: Snapshot) {
        let face = GateFace(reading, in: seen)
        let id = reading.id
        let tone = face.state.tone
        let width = FlowGraph.width(face)
        cells["chip:\(id)"] = Cell(a: ["class": "st \(tone)"])
        cells["icon:\(id)"] = Cell(a: ["d": face.state.path])
        cells["word:\(id)"] = Cell(t: face.state.word)
        cells["level:\(id)"] = Cell(t: face.pressure)
        cells["rates:\(id)"] = Cell(t: face.rates)
        cells["spark:\(id)"] = Cell(a: ["points": face.spark])
        cells["why:\(id)"] = Cell(t: face.why)
        cells["hold:\(id)"] = Cell(a: ["class": GateForms.holdClass(face)])
        cells["release:\(id)"] = Cell(a: ["class": GateForms.releaseClass(face)])
        cells["lbar:\(id)"] = Cell(a: ["class": "b-\(tone)", "width": width])
        if reading.kind != .connector {
            cells["ftext:\(id)"] = Cell(t: FlowGraph.text(face))
            cells["ltext:\(id)"] = Cell(t: FlowGraph.text(face))
            cells["fbar:\(id)"] = Cell(a: ["class": "b-\(tone)", "width": width])
            cells["ficon:\(id)"] = Cell(a: ["class": "i-\(tone)", "d": face.state.path])
            cells["out:\(id)"] = Cell(a: ["class": "edge e-\(tone)"])
            for number in FlowGraph.senders(of: reading).indices {
                cells["edge:\(number):\(id)"] = Cell(a: ["class": "edge e-\(tone)"])
            }
        }
        let why = WhyText(seen.view(reading), isComplete: true)
        cells["lines:\(id)"] = Cell(a: ["data-lines": GatePage.lines(why, reading)])
        cells["headline:\(id)"] = Cell(t: GatePage.since(reading, seen))
        for (number, line) in why.lines.enumerated() {
            cells["line:\(number):\(id)"] = Cell(t: line.value)
            cells["note:\(number):\(id)"] = Cell(t: line.note)
        }
    }

    init(structure: String, cells: [String: Cell]) {
        self.structure = structure
        order = []
        self.cells = cells
    }

    /// Of a page of connectors.
    init(_ seen: ConnectorListing) {
        structure = seen.structure
        order = []
        guard seen.progress == nil else {
            cells["progress"] = Cell(t: seen.progressText)
            return
        }
        for tile in seen.tiles { cells["tile:\(tile.key)"] = Cell(t: tile.value) }
        cells["place"] = Cell(t: seen.place)
        for status in seen.statuses { add(status, at: seen.at) }
    }

    /// Of the page of one connector.
    init(_ status: ConnectorStatus, at now: WallTime, version: String) {
        structure = ConnectorPage.structure(status, version: version)
        order = []
        add(status, at: now)
        let id = status.id
        cells["cwarning:\(id)"] = Cell(
            t: ConnectorText.warning(status) ?? "", a: ["class": "\(ConnectorPage.warningClass(status)) warning"])
        for trouble in status.troubles { cells["ctrouble:\(trouble.code):\(id)"] = Cell(t: trouble.sentence) }
        cells["cstate:\(id)"] = Cell(t: ConnectorPage.state(status))
        cells["cgate:\(id)"] = Cell(t: status.gate?.reason.sentence ?? "")
        for work in status.openWorks {
            cells["wstatus:\(work.id)"] = Cell(t: work.status)
            cells["wtext:\(work.id)"] = Cell(t: ConnectorText.progress(work))
            cells["wbar:\(work.id)"] = Cell(
                a: ["class": ConnectorPage.tone(work), "width": ConnectorPage.width(work)])
        }
    }

    /// Of the page of the tunnel.
    init(_ seen: TunnelListing) {
        structure = seen.structure
        order = []
        for tile in seen.tiles { cells["tile:\(tile.key)"] = Cell(t: tile.value) }
        for face in seen.tunnels.map(TunnelFace.init) { add(face, "t") }
        for face in seen.agentFaces { add(face, "a") }
    }

    private mutating func add(_ face: TunnelFace, _ kind: String) {
        let id = "\(kind)/\(face.id)"
        cells["chip:\(id)"] = Cell(a: ["class": "st \(face.state.tone)"])
        cells["icon:\(id)"] = Cell(a: ["d": face.state.path])
        cells["word:\(id)"] = Cell(t: face.state.word)
        cells["\(kind)trouble:\(face.id)"] = Cell(t: face.trouble)
        for cell in face.cells + face.more {
            cells["\(cell.key):\(face.id)"] = Cell(t: cell.text, a: ["class": cell.tone])
        }
    }

    private mutating func add(_ status: ConnectorStatus, at now: WallTime) {
        let face = ConnectorFace(status, at: now)
        let id = status.id
        cells["chip:c/\(id)"] = Cell(a: ["class": "st \(face.state.tone)"])
        cells["icon:c/\(id)"] = Cell(a: ["d": face.state.path])
        cells["word:c/\(id)"] = Cell(t: face.state.word)
        for cell in face.cells { cells["\(cell.key):\(id)"] = Cell(t: cell.text, a: ["class": cell.tone]) }
        cells["ctrouble:\(id)"] = Cell(t: face.trouble, a: ["class": "\(face.troubleClass) trouble"])
    }

    /// What differs from an earlier look. It is sent also when nothing does: silence would look like a server that is
    /// gone.
    func changes(since earlier: LiveCells?) -> Patch {
        Patch(
            structure: structure, order: order == earlier?.order ? nil : order,
            cells: cells.filter { earlier?.cells[$0.key] != $0.value })
    }
}
