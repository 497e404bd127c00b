package import AsyncHTTPClient
import WeirSettings
package import WeirWorld

/// Makes silos of their settings.
package struct SiloMaker: Sendable {
    /// What relative paths are relative to: the directory of the configuration.
    package var directory: String
    package var http: HTTPClient
    package var world: World
    /// What programs get of Weir's own environment.
    package var environment: [String: String]
    /// Makes a directory's silo: by name, with its settings and the attributes that are lists beside those of every
    /// directory.
    package var directorySilo:
        @Sendable (String, LDAPSiloSettings, _ lists: Set<String>, _ isReadOnly: Bool) throws -> any SiloProvider

    package init(
        directory: String, http: HTTPClient, world: World, environment: [String: String],
        directorySilo:
            @escaping @Sendable (
                String, LDAPSiloSettings, _ lists: Set<String>, _ isReadOnly: Bool
            ) throws -> any SiloProvider
    ) {
        self.directory = directory
        self.http = http
        self.world = world
        self.environment = environment.filter { ["PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR"].contains($0.key) }
        self.directorySilo = directorySilo
    }

    /// In the order of the settings.
    /// - Throws: what `directorySilo` throws.
    package func parts(of settings: IdentitySettings) throws -> [SiloPart] {
        try settings.silos.entries.map { entry in
            var part = SiloPart(
                name: entry.name, type: entry.value.typed.kind, provider: try provider(entry.name, entry.value),
                kinds: entry.value.types.map { ObjectKind(silo: entry.name, type: $0) })
            let shrink = entry.value.typed.common.shrink ?? settings.sync.shrinkBasisPoints
            part.gate.dropMost = shrink.basisPoints
            part.gate.dropFloor = settings.sync.shrinkAtLeast
            return part
        }
    }

    /// The join rules of the settings; `hr` is `hr/user`, or the silo's only type.
    package static func joins(of settings: IdentitySettings) -> [JoinRule] {
        settings.joins.map { join in
            let words = join.objects.split(separator: "/", maxSplits: 1).map(String.init)
            let silo = words.first ?? join.objects
            let types = settings.silos[silo]?.types ?? []
            let type = words.count > 1 ? words[1] : types.count == 1 ? types[0] : "user"
            return JoinRule(kind: ObjectKind(silo: silo, type: type), key: join.key.text)
        }
    }

    private func place(_ path: String) -> String { path.hasPrefix("/") ? path : directory + "/" + path }

    private func provider(_ name: String, _ entry: SiloEntry) throws -> any SiloProvider {
        let common = entry.typed.common
        let lists = Set(common.multi.map { $0.lowercased() })
        switch entry.typed.own {
        case let own as CSVSiloSettings: return csv(own, lists, common.isReadOnly)
        case let own as LDIFSiloSettings:
            var bases: [ObjectKind: LDIFSilo.Base] = [:]
            for object in own.objects.entries {
                bases[ObjectKind(silo: name, type: object.name)] = LDIFSilo.Base(
                    name: object.value.base, objectClass: object.value.objectClass)
            }
            return LDIFSilo(
                path: place(own.path), bases: bases, lists: lists, isReadOnly: common.isReadOnly, world: world)
        case let own as LDAPSiloSettings: return try directorySilo(name, own, lists, common.isReadOnly)
        case let own as SQLSiloSettings: return sql(own, lists, common.isReadOnly)
        case let own as SCIMSiloSettings:
            var layout = SCIMSilo.Layout(url: own.url, token: own.token.isSet ? own.token.text : nil)
            layout.pageSize = own.pageSize
            layout.timeout = own.timeout
            return SCIMSilo(layout, isReadOnly: common.isReadOnly, http: http, world: world)
        case let own as ExecSiloSettings:
            var layout = ExecSilo.Layout(command: own.command)
            layout.timeout = own.timeout
            layout.environment = environment
            for type in own.objects { layout.schemas[type] = ObjectSchema(lists: lists) }
            return ExecSilo(layout, isReadOnly: common.isReadOnly, world: world)
        default: preconditionFailure("a kind of silo without a provider: \(entry.typed.kind)")
        }
    }

    private func csv(_ own: CSVSiloSettings, _ lists: Set<String>, _ isReadOnly: Bool) -> CSVSilo {
        var layout = CSVSilo.Layout(path: place(own.path), key: own.key)
        layout.delimiter = own.delimiter.utf8.first ?? layout.delimiter
        layout.list = own.list.utf8.first ?? layout.list
        layout.encoding = TextEncoding(named: own.encoding) ?? .utf8
        layout.lists = lists
        return CSVSilo(layout, isReadOnly: isReadOnly, world: world)
    }

    private func sql(_ own: SQLSiloSettings, _ lists: Set<String>, _ isReadOnly: Bool) -> SQLSilo {
        var tables: [String: SQLSilo.Table] = [:]
        for object in own.objects.entries {
            var table = SQLSilo.Table(
                table: object.value.table, query: object.value.query, key: object.value.key,
                changed: object.value.changed)
            table.lists = lists
            tables[object.name] = table
        }
        let database: SQLSilo.Place =
            own.url.hasPrefix("sqlite:")
            ? .sqlite(path: place(String(own.url.dropFirst("sqlite:".count))))
            : .postgres(url: own.url, password: own.password.isSet ? own.password.text : nil)
        return SQLSilo(database, tables: tables, isReadOnly: isReadOnly, timeout: own.timeout, world: world)
    }
}
