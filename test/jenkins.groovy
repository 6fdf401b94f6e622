// Walks through a declarative Jenkinsfile as Jenkins would, running nothing:
//	groovy test/jenkins.groovy Jenkinsfile REGISTRY
// Prints `stage NAME', `when', and `sh COMMAND' as they come.  A word that no Jenkins knows is an error.
class Walk {
    static final BLOCKS = ['pipeline', 'options', 'parameters', 'stages', 'steps', 'post', 'always', 'agent', 'timeout']
    static final WORDS = ['label', 'timestamps', 'disableConcurrentBuilds', 'buildDiscarder', 'logRotator', 'string',
                          'input', 'archiveArtifacts', 'environment']
    Map params
    boolean wanted
    int approvals = 0

    def inside(Closure c) {
        c.delegate = this
        c.resolveStrategy = Closure.DELEGATE_FIRST
        c()
    }
    def stage(String name, Closure c) {
        println "stage $name"
        wanted = true
        inside(c)
    }
    def when(Closure c) { inside(c) }
    def expression(Closure c) { if (!inside(c)) wanted = false }
    def branch(String name) { println "branch $name" }
    def steps(Closure c) { if (wanted) inside(c) }
    def input(Map m) { println "input ${m.message}" }
    def sh(String command) { println "sh $command" }
    def methodMissing(String name, args) {
        if (!(name in BLOCKS) && !(name in WORDS)) {
            throw new MissingMethodException(name, Walk, args as Object[])
        }
        args.findAll { it instanceof Closure }.each { inside(it) }
    }
}

def walk = new Walk(params: [REGISTRY: args[1]])
def script = new GroovyShell().parse(new File(args[0]))
script.metaClass.methodMissing = { String name, a -> walk.invokeMethod(name, a) }
script.run()
